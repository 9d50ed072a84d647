//go:build linux

package guest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// guest is the state that lasts as long as the sandbox.
type guest struct {
	jobs *jobs
	background
	dir string   // where relative paths begin
	env []string // of every command

	beside  bool // another guest is PID 1
	started time.Time
	editing sync.Mutex // one edit reads and writes at a time

	hostMu sync.Mutex
	host   *server // the newest that was greeted
}

// newGuest protects the process and starts the reaper.
func newGuest() (*guest, error) {
	jobs, err := startJobs()
	if err != nil {
		return nil, err
	}
	g := &guest{jobs: jobs, started: time.Now()}
	jobs.end = g.end
	return g, nil
}

// end tells the host why the sandbox ends, and ends it. It does not return.
func (g *guest) end(reason string) {
	fmt.Fprintln(os.Stderr, "drydock guest:", reason)
	g.hostMu.Lock()
	host := g.host
	g.hostMu.Unlock()
	said := make(chan struct{})
	go func() {
		defer close(said)
		if host != nil {
			_ = host.mux.Send(wire.KindBye, 0, []byte(reason))
		}
	}()
	select {
	case <-said:
	case <-time.After(time.Second): // it does not read
	}
	os.Exit(1)
}

// Serve answers the host until r ends. That is the end of the sandbox: when PID 1 returns, the
// kernel ends every other process of the container.
func Serve(r io.Reader, w io.Writer) error {
	g, err := newGuest()
	if err != nil {
		return err
	}
	defer g.jobs.endCanary()
	if err := g.serve(r, w, func() {}); err != errBye {
		return err
	}
	return nil
}

// errBye says that the host wants the sandbox to end.
var errBye = errors.New("the host said bye")
