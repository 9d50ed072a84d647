//go:build linux

package guest

import (
	"errors"
	"io"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// taker takes the output of a command. It is a stream to the host, or a ring.
type taker interface {
	// WriteBuffer takes the first n bytes of b's data.
	WriteBuffer(b *wire.Buffer, n int) error
	// Abort makes a write under way and later ones fail.
	Abort(err error)
}

// allowance is how many bytes a command may still write.
type allowance struct {
	remaining atomic.Int64
	exceed    func() // called when the command writes more
}

// take returns how many of the next n bytes may pass.
func (a *allowance) take(n int) int {
	if a == nil {
		return n
	}
	remaining := a.remaining.Add(-int64(n))
	if remaining >= 0 {
		return n
	}
	a.exceed()
	return max(0, n+int(remaining))
}

// exceeded reports whether the command wrote more.
func (a *allowance) exceeded() bool { return a != nil && a.remaining.Load() < 0 }

// pump moves the output of a command to a taker. When the command's first process has ended,
// the pump takes what is there and is drained. Output that children write later is read and
// dropped: so it does not hold the result back, or show up in another job's output, and the
// children do not die of a closed pipe. A terminal is closed at that point, which hangs up
// those that still use it.
type pump struct {
	f        *os.File
	to       taker
	allowed  *allowance
	terminal bool
	lost     bool          // the reader has left; the command goes on without it
	gone     chan struct{} // closed when the first process has ended
	drained  chan struct{} // closed when the output up to there was taken
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

// leaderGone tells the pump that the command's first process has ended.
func (p *pump) leaderGone() {
	close(p.gone)
	_ = p.f.SetReadDeadline(time.Unix(1, 0))
}

// run moves the output up to the end of the first process. It reports whether that was all
// that there ever will be.
func (p *pump) run() (ended bool) {
	buf := wire.NewBuffer()
	defer buf.Free()
	wide := false
	for {
		n, err := p.f.Read(buf.Data())
		p.send(buf, n)
		if n == len(buf.Data()) && p.allowed == nil && !p.terminal && !p.lost {
			if h, ok := p.to.(*hostStream); ok && h.splicer != nil {
				p.lost = p.splice(h, &wide) != nil
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if p.terminal && errors.Is(err, syscall.EIO) {
			p.unused()
			continue
		}
		if err != nil {
			return true
		}
	}
	// The deadline of leaderGone hides what is there: lift it.
	if p.f.SetReadDeadline(time.Time{}) != nil {
		return true
	}
	if p.terminal {
		return p.runOut(buf)
	}
	return p.takeRest(buf)
}

// unused waits a little while nobody has the other end of a terminal open. That is not the end:
// the command may have closed its files and run on. To close the terminal would be a SIGHUP to
// it, and /dev/tty opens the other end again, which wakes no reader.
func (p *pump) unused() {
	const again = 20 * time.Millisecond
	select {
	case <-time.After(again):
	case <-p.gone:
		// The deadline that ends the next read is set by now or in an instant.
		runtime.Gosched()
	}
}

// splice moves the output of a command that writes much.
func (p *pump) splice(h *hostStream, wide *bool) error {
	raw, err := p.f.SyscallConn()
	if err != nil {
		return err
	}
	if !*wide {
		*wide = true
		if err := raw.Control(func(fd uintptr) { widen(int(fd)) }); err != nil {
			return err
		}
	}
	return h.splice(raw, p.gone)
}

// takeRest reads what is in a pipe, and no more: children that go on writing would never let
// it end.
func (p *pump) takeRest(buf *wire.Buffer) (ended bool) {
	raw, err := p.f.SyscallConn()
	if err != nil {
		return true
	}
	remaining, err := unread(raw)
	if err != nil {
		return true
	}
	for remaining > 0 {
		var n int
		var errno error
		if err := raw.Read(func(fd uintptr) bool {
			n, errno = syscall.Read(int(fd), buf.Data()[:min(remaining, len(buf.Data()))])
			return true
		}); err != nil {
			return true
		}
		if n <= 0 {
			return errno == nil
		}
		p.send(buf, n)
		remaining -= n
	}
	return false
}

// runOut reads a terminal whose command has ended. The kernel hands bytes over a little later
// than they were written, so a terminal counts as empty when nothing comes for a moment.
// Children that go on writing must not hold it up: the command's own output comes without
// pauses, and is no more than a terminal holds. The time that the reader takes does not
// count.
func (p *pump) runOut(buf *wire.Buffer) (ended bool) {
	const (
		moment, patience = 20 * time.Millisecond, 100 * time.Millisecond
		holds            = 128 << 10 // two buffers of 64 KiB, one for each end
	)
	for waited, got := time.Duration(0), 0; waited < patience && got < holds; {
		begin := time.Now()
		_ = p.f.SetReadDeadline(begin.Add(moment))
		n, err := p.f.Read(buf.Data())
		waited, got = waited+time.Since(begin), got+n
		p.send(buf, n)
		if err != nil {
			break
		}
	}
	return true
}

func (p *pump) send(buf *wire.Buffer, n int) {
	if n <= 0 {
		return
	}
	if n = p.allowed.take(n); n > 0 && !p.lost {
		p.lost = p.to.WriteBuffer(buf, n) != nil
	}
}
