//go:build linux

package guest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// socketName is an abstract socket: it has no file, and is seen only in the container's network
// namespace.
const socketName = "@drydock"

// greetTime is how long a host may take to say hello.
const greetTime = 30 * time.Second

// serveLease answers one host after the other. Each comes by `docker exec … guest connect`. A
// new host replaces one that is still there: its connection may be dead without anybody's
// knowing. The sandbox ends when no host has been there for the time of the lease, or when one
// says bye.
func serveLease(text string) error {
	lease, err := time.ParseDuration(text)
	if err != nil || lease <= 0 {
		return fmt.Errorf("lease %q is no positive duration", text)
	}
	g, err := newGuest()
	if err != nil {
		return err
	}
	l, err := listen()
	if err != nil {
		return err
	}
	hosts := make(chan *os.File)
	go func() {
		for {
			conn, err := l.accept()
			if err != nil {
				fmt.Fprintln(os.Stderr, "drydock guest: accept:", err)
				close(hosts)
				return
			}
			hosts <- conn
		}
	}()
	var current *os.File
	greeted, ended := make(chan *os.File), make(chan *os.File)
	bye := make(chan struct{})
	var once sync.Once
	expired := time.NewTimer(lease)
	for {
		select {
		case conn, ok := <-hosts:
			if !ok {
				return fmt.Errorf("nobody can connect any more")
			}
			go func() {
				_ = conn.SetReadDeadline(time.Now().Add(greetTime))
				err := g.serve(conn, conn, func() {
					_ = conn.SetReadDeadline(time.Time{})
					greeted <- conn
				})
				if err == errBye {
					once.Do(func() { close(bye) })
				}
				conn.Close()
				ended <- conn
			}()
		case conn := <-greeted:
			if current != nil {
				// That ends its read, and with it its server.
				current.Close()
			}
			current = conn
			expired.Stop()
		case conn := <-ended:
			if conn == current {
				current = nil
				expired.Reset(lease)
			}
		case <-bye:
			return nil
		case <-expired.C:
			return nil
		}
	}
}

// listener is a listening socket. Package net would make the guest a third larger.
type listener struct {
	f *os.File
}

func listen() (*listener, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: socketName})
	}
	if err == nil {
		err = syscall.Listen(fd, 16)
	}
	if err != nil {
		return nil, os.NewSyscallError("listen", err)
	}
	return &listener{os.NewFile(uintptr(fd), "listener")}, nil
}

// accept returns the next connection that comes from outside the container.
func (l *listener) accept() (*os.File, error) {
	raw, err := l.f.SyscallConn()
	if err != nil {
		return nil, err
	}
	for {
		var fd int
		var errno error
		err := raw.Read(func(listening uintptr) bool {
			fd, _, errno = syscall.Accept4(int(listening), syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK)
			return errno != syscall.EAGAIN
		})
		if err != nil {
			return nil, err
		}
		switch {
		case errno == syscall.ECONNABORTED || errno == syscall.EINTR:
			continue
		case errno != nil:
			return nil, errno
		}
		if fromOutside(fd) {
			return os.NewFile(uintptr(fd), "host"), nil
		}
		syscall.Close(fd)
	}
}

// fromOutside reports whether the engine started the peer: its parent is then outside the pid
// namespace, which shows as pid 0. A process that was started inside always has a parent
// inside, because that of an orphan is PID 1.
func fromOutside(fd int) bool {
	peer, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	if err != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(int(peer.Pid)) + "/stat")
	if err != nil {
		return false
	}
	// "pid (name) state ppid ...": the name may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(fields) > 1 && string(fields[1]) == "0"
}

// connect joins stdin and stdout to the guest. It ends when either of them does.
func connect(stdin, stdout *os.File) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: socketName})
	}
	if err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	if err != nil {
		return fmt.Errorf("this sandbox has no lease, or is ending: %w", err)
	}
	conn := os.NewFile(uintptr(fd), "guest")
	done := make(chan error, 2)
	relay := func(to, from *os.File) {
		_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 64<<10))
		done <- err
	}
	go relay(conn, stdin)
	go relay(stdout, conn)
	return <-done
}
