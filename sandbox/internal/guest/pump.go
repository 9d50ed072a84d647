//go:build linux

package guest

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// taker takes the output of a command: a stream to the host, or a ring.
type taker interface {
	// WriteBuffer takes the first n bytes of b's data.
	WriteBuffer(b *wire.Buffer, n int) error
	// Abort makes a write under way and later ones fail.
	Abort(err error)
}

// allowance is how many bytes a command may still write.
type allowance struct {
	left atomic.Int64
	over func() // called when it is used up
}

// take returns how many of n bytes may pass.
func (a *allowance) take(n int) int {
	if a == nil {
		return n
	}
	left := a.left.Add(-int64(n))
	if left >= 0 {
		return n
	}
	a.over()
	return max(0, n+int(left))
}

// pump moves what a command writes to a taker. When the command's first process has
// ended it takes what is there by then and is drained; what children that were left
// behind write later is read and dropped, so that it neither holds the result back, nor
// shows up elsewhere, nor kills them.
type pump struct {
	f        *os.File
	to       taker
	allowed  *allowance
	terminal bool
	lost     bool // the reader left; the command goes on without it
	gone     chan struct{}
	drained  chan struct{}
}

func newPump(f *os.File, to taker, allowed *allowance, terminal bool) *pump {
	p := &pump{f: f, to: to, allowed: allowed, terminal: terminal, gone: make(chan struct{}), drained: make(chan struct{})}
	go func() {
		// The end of a terminal is a SIGHUP to those that still use it.
		defer f.Close()
		ended := p.run()
		close(p.drained)
		if !ended {
			io.Copy(io.Discard, f)
		}
	}()
	return p
}

// leaderGone wakes the pump where it waits for more.
func (p *pump) leaderGone() {
	close(p.gone)
	_ = p.f.SetReadDeadline(time.Unix(1, 0))
}

// run reports whether the end was reached.
func (p *pump) run() (ended bool) {
	buf := wire.NewBuffer()
	defer buf.Free()
	for {
		n, err := p.f.Read(buf.Data())
		p.send(buf, n)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return true
		}
	}
	// The deadline hides what is there: lift it.
	if p.f.SetReadDeadline(time.Time{}) != nil {
		return true
	}
	if p.terminal {
		return p.runOut(buf)
	}
	return p.takeRest(buf)
}

// takeRest reads what is in a pipe, without waiting, and only that: children that go on
// writing would never let it end.
func (p *pump) takeRest(buf *wire.Buffer) (ended bool) {
	raw, err := p.f.SyscallConn()
	if err != nil {
		return true
	}
	var left int32
	if err := raw.Control(func(fd uintptr) {
		_ = ioctl(int(fd), syscall.TIOCINQ, unsafe.Pointer(&left))
	}); err != nil {
		return true
	}
	for left > 0 {
		var n int
		var errno error
		if err := raw.Read(func(fd uintptr) bool {
			n, errno = syscall.Read(int(fd), buf.Data()[:min(int(left), wire.MaxData)])
			return true
		}); err != nil {
			return true
		}
		if n <= 0 {
			return errno == nil
		}
		p.send(buf, n)
		left -= int32(n)
	}
	return false
}

// runOut reads a terminal that its session has left. The kernel hands bytes over a little
// later than they were written, and what others write now fails, so it is empty when
// nothing comes for a moment.
func (p *pump) runOut(buf *wire.Buffer) (ended bool) {
	const moment = 20 * time.Millisecond
	for {
		_ = p.f.SetReadDeadline(time.Now().Add(moment))
		n, err := p.f.Read(buf.Data())
		p.send(buf, n)
		if err != nil {
			return true
		}
	}
}

func (p *pump) send(buf *wire.Buffer, n int) {
	if n <= 0 {
		return
	}
	if n = p.allowed.take(n); n > 0 && !p.lost {
		p.lost = p.to.WriteBuffer(buf, n) != nil
	}
}
