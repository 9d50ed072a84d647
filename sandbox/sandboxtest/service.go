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

// DefaultWaitTimeout is how long a service may take to be ready.
const DefaultWaitTimeout = time.Minute

// ServiceOptions are those of Run; nil is all defaults.
type ServiceOptions struct {
	// Options are those of the service's sandbox. Image is the argument of Run, the root file
	// system is always writable, and User is by default the image's. The other defaults are as
	// in Options.
	sandbox.Options
	// Require fails the test where there is no engine. Default: it is skipped.
	Require bool
	// Args replace the image's CMD.
	Args []string
	// Wait is what has to hold before Run returns, one after the other. Default: ForPort of
	// each TCP port that the image exposes.
	Wait []Wait
	// WaitTimeout bounds all of that. Default: DefaultWaitTimeout.
	WaitTimeout time.Duration
}

// Service is a service that a test uses. As any sandbox it can be reached with Dial and
// Transport; sandboxes on its network reach it by its Name.
type Service struct {
	*sandbox.Sandbox
	// Job is the image's entrypoint.
	Job *sandbox.Job

	t     testing.TB
	image engine.Image // of the service

	mu    sync.Mutex
	addrs map[int]string // of the ports that are exposed
}

// Run starts the program of an image, waits until it is ready, and ends it with the test.
// Where that is not possible, or the program ends meanwhile, the test fails with what was
// waited for and the last that it printed. An image that exposes no port is not waited for
// unless ServiceOptions.Wait says how.
func Run(t testing.TB, ref string, opts *ServiceOptions) *Service {
	t.Helper()
	o := orZero(opts)
	if o.Runtime != "" || o.Image != "" || o.Snapshot != "" {
		t.Fatalf("service %s: Options has a Runtime, Image or Snapshot as well: a service is of the image that Run is given", ref)
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
	// The sandbox's own is empty, and would hide what the image has there.
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

// resolveImage changes o to the options of a sandbox on an image, which it pulls if it has to, and
// describes that image.
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
	// Images that are tested change under their names. The runtime is named after the digest
	// that is there now, so that nothing older is run.
	_, digest, _ := strings.Cut(im.ID, ":")
	o.Runtime = "service-" + digest[:min(len(digest), 12)]
	full.Catalog, err = full.Catalog.With(drydock.Runtime{Name: o.Runtime, Image: ref})
	o.Images = full
	return im, err
}

// forPorts are the TCP ports of an image, such as "80/tcp" or "80".
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

// await waits for all of it, or for the end of the service, which is an error.
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
			cancelCause(err) // such as that its container was killed
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

// Addr returns an address of the host's loopback interface, as host:port, that leads to a
// port of the service. See sandbox.Expose for who else can use it.
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

// Logs returns what the service has printed to stdout and stderr, of more than
// sandbox.DefaultKeep bytes the last ones.
func (s *Service) Logs() string {
	s.t.Helper()
	var b bytes.Buffer
	if _, err := s.Job.Attach(s.t.Context(), &b, nil); err != nil {
		s.t.Fatal(err)
	}
	return b.String()
}
