package sandboxtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
)

// DefaultWaitTimeout is the default of ServiceOptions.WaitTimeout.
const DefaultWaitTimeout = time.Minute

// ServiceOptions are the options of Run; nil is all defaults.
type ServiceOptions struct {
	// Options are the options of the service's sandbox. The image is the argument of Run, and
	// the root file system is always writable. User is the image's by default. The other
	// defaults are as in Options.
	sandbox.Options
	// Require fails the test if there is no engine. Default: the test is skipped.
	Require bool
	// Args replace the image's CMD. Default: the CMD.
	Args []string
	// Wait lists the conditions that Run waits for, one after the other. Default: ForPort of
	// each TCP port that the image exposes.
	Wait []Wait
	// WaitTimeout bounds the time of all conditions together. Default: DefaultWaitTimeout.
	WaitTimeout time.Duration
}

// Service is a service that a test uses. The test reaches it with Dial and Transport, as it
// reaches any sandbox. Sandboxes on the same network reach it by its Name.
type Service struct {
	*sandbox.Sandbox
	// Job is the program of the service: the image's ENTRYPOINT with its arguments.
	Job *sandbox.Job

	t     testing.TB
	image engine.Image // the service's image

	mu    sync.Mutex
	addrs map[int]string // the addresses of the exposed ports, by port
}

// Run starts the program of an image, waits until it is ready, and ends it with the test. If the
// program cannot be started, ends, or is not ready in time, the test fails; its log says which
// condition did not hold and has the end of the program's output. If the image exposes no port
// and ServiceOptions.Wait is empty, Run does not wait.
func Run(t testing.TB, ref string, opts *ServiceOptions) *Service {
	t.Helper()
	o := orZero(opts)
	if o.Runtime != "" || o.Image != "" || o.Snapshot != "" {
		t.Fatalf("service %s: Options must not have a Runtime, Image or Snapshot: Run is given the image", ref)
	}
	e := findEngine(t, &o.Options, o.Require)
	info, err := resolveImage(t.Context(), e, ref, &o.Options)
	if err != nil {
		t.Fatalf("service %s: %v", ref, err)
	}
	args := o.Args
	if args == nil {
		args = info.Cmd
	}
	args = slices.Concat(info.Entrypoint, args)
	if len(args) == 0 {
		t.Fatalf("service %s: the image has neither ENTRYPOINT nor CMD: give Args", ref)
	}
	o.WritableRoot = true
	o.User = cmp.Or(o.User, info.User, "0:0")
	// Not the image's WORKDIR: the work dir is an empty mount and would hide the image's files.
	o.WorkDir = cmp.Or(o.WorkDir, path.Join(sandbox.Home, "work"))
	s := &Service{t: t, image: info, addrs: make(map[int]string)}
	s.Sandbox = open(t, o.Options, e)
	cmd := s.Command(args[0], args[1:]...)
	cmd.Dir = cmp.Or(info.WorkDir, "/")
	if s.Job, err = cmd.Background(t.Context(), &sandbox.JobOptions{Name: ref}); err != nil {
		t.Fatalf("service %s: %v", ref, err)
	}
	wait := o.Wait
	if wait == nil {
		wait = forPorts(info.Ports)
	}
	if err := s.await(wait, cmp.Or(o.WaitTimeout, DefaultWaitTimeout)); err != nil {
		const maxTail = 4 << 10
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		t.Fatalf("service %s: %v; it printed:\n%s", ref, err, tail(ctx, s.Job, maxTail))
	}
	return s
}

// resolveImage pulls an image if it is missing, returns its description, and changes o into the
// options of a sandbox on that image.
func resolveImage(ctx context.Context, e engine.Engine, ref string, o *sandbox.Options) (im engine.Image, err error) {
	images := orZero(o.Images)
	images.Engine = e
	full, err := images.Resolve()
	if err != nil {
		return im, err
	}
	r, err := full.Catalog.Resolve(drydock.Runtime{Image: ref})
	if err != nil {
		return im, err
	}
	puller, err := engine.Require[engine.ImageBuilder](ctx, e)
	if err != nil {
		return im, err
	}
	im, err = puller.InspectImage(ctx, r.Base())
	if errors.Is(err, engine.ErrNoImage) && !full.Offline {
		if err = puller.Pull(ctx, r.Base(), io.Discard); err == nil {
			im, err = puller.InspectImage(ctx, r.Base())
		}
	}
	if err != nil {
		return im, err
	}
	// A tested image is often built again under its name. The digest in the runtime's name keeps
	// a sandbox from running on an older build.
	_, digest, _ := strings.Cut(im.ID, ":")
	o.Runtime = "service-" + digest[:min(len(digest), 12)]
	full.Catalog, err = full.Catalog.With(drydock.Runtime{Name: o.Runtime, Image: ref})
	o.Images = full
	return im, err
}

// forPorts returns a ForPort for each TCP port of an image's EXPOSE, such as "80/tcp" or "80".
func forPorts(exposed []string) []Wait {
	var all []Wait
	for _, p := range exposed {
		number, protocol, _ := strings.Cut(p, "/")
		if port, err := strconv.Atoi(number); err == nil && (protocol == "tcp" || protocol == "") {
			all = append(all, ForPort(port))
		}
	}
	return all
}

// await waits for all conditions. The end of the service is an error.
func (s *Service) await(wait []Wait, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(s.t.Context(), timeout, fmt.Errorf("not within %v", timeout))
	defer cancel()
	ctx, cancelCause := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		r, err := s.Job.Wait(ctx)
		switch {
		case err == nil:
			cancelCause(fmt.Errorf("the service %s", ending(r)))
		case ctx.Err() == nil:
			cancelCause(err) // for example because its container was killed
		}
	})
	defer watch.Wait()
	defer cancelCause(nil)
	for _, w := range wait {
		if err := w.until(ctx, s); err != nil {
			return fmt.Errorf("waiting for %s: %w", w, err)
		}
	}
	return nil
}

// Addr exposes a port of the service on the host's loopback interface and returns the address,
// as host:port. Other users of the host can connect to it too: see sandbox.Sandbox.Expose.
func (s *Service) Addr(port int) string {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addrs[port] == "" {
		x, err := s.Expose(s.t.Context(), port, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		s.addrs[port] = x.Addr().String()
	}
	return s.addrs[port]
}

// Logs returns the output of the service, stdout and stderr together: at most its last
// sandbox.DefaultKeep bytes.
func (s *Service) Logs() string {
	s.t.Helper()
	var b bytes.Buffer
	if _, err := s.Job.Attach(s.t.Context(), &b, nil); err != nil {
		s.t.Fatal(err)
	}
	return b.String()
}
