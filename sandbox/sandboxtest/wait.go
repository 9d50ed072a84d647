package sandboxtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

// Wait is a condition that holds once a service is ready.
type Wait struct {
	name  string
	until func(ctx context.Context, s *Service) error
}

// String describes the condition.
func (w Wait) String() string { return w.name }

// ForPort waits until the service accepts connections on a port of its loopback interface.
func ForPort(port int) Wait {
	return Wait{fmt.Sprintf("port %d", port), func(ctx context.Context, s *Service) error {
		return s.WaitPort(ctx, port)
	}}
}

// ForLog waits for a line of the service's output that a regular expression (RE2) matches. It
// begins with the first line.
func ForLog(pattern string) Wait {
	return Wait{fmt.Sprintf("a log line that matches %q", pattern), func(ctx context.Context, s *Service) error {
		_, err := s.Job.WaitLine(ctx, pattern, 0)
		if errors.Is(err, sandbox.ErrNoMatch) {
			<-ctx.Done() // the service has ended: await cancels ctx with the reason
			return context.Cause(ctx)
		}
		return err
	}}
}

// ForHTTP waits until a GET of a path, such as "/health", on a port of the service is
// answered with a status, such as 200. Redirects are not followed.
func ForHTTP(port int, path string, status int) Wait {
	url := fmt.Sprintf("http://localhost:%d/%s", port, strings.TrimPrefix(path, "/"))
	return Wait{fmt.Sprintf("status %d of %s", status, url), func(ctx context.Context, s *Service) error {
		transport := s.Transport()
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport, Timeout: tryTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		return retry(ctx, func() error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			r, err := client.Do(request)
			if err != nil {
				return err
			}
			r.Body.Close()
			if r.StatusCode != status {
				return fmt.Errorf("status %d", r.StatusCode)
			}
			return nil
		})
	}}
}

// ForCommand waits until a program in the service's container exits with 0.
func ForCommand(name string, args ...string) Wait {
	args = append([]string{name}, args...)
	return Wait{fmt.Sprintf("the command %q", args), func(ctx context.Context, s *Service) error {
		return s.succeeds(ctx, args, tryTimeout)
	}}
}

// ForHealthcheck waits until the image's own HEALTHCHECK succeeds. It ignores the interval of
// the HEALTHCHECK and tries at least four times a second.
func ForHealthcheck() Wait {
	return Wait{"the image's HEALTHCHECK", func(ctx context.Context, s *Service) error {
		timeout := s.image.HealthTimeout
		if timeout == 0 {
			timeout = 30 * time.Second // the engine's default
		}
		switch test := s.image.Health; {
		case len(test) > 1 && test[0] == "CMD":
			return s.succeeds(ctx, test[1:], timeout)
		case len(test) == 2 && test[0] == "CMD-SHELL":
			return s.succeeds(ctx, []string{"/bin/sh", "-c", test[1]}, timeout)
		}
		return errors.New("the image has none: use another Wait")
	}}
}

// tryTimeout is how long one attempt may take.
const tryTimeout = 5 * time.Second

// succeeds runs a command again and again until it exits with 0. Each attempt has the timeout.
func (s *Service) succeeds(ctx context.Context, args []string, timeout time.Duration) error {
	return retry(ctx, func() error {
		cmd := s.Command(args[0], args[1:]...)
		cmd.Timeout = timeout
		r, err := cmd.Run(ctx)
		if err != nil {
			return err
		}
		if !r.OK() {
			said := strings.TrimSpace(string(r.Stdout) + string(r.Stderr))
			return fmt.Errorf("%s: %.500q", ending(r), said)
		}
		return nil
	})
}

// retry calls try until it returns no error. When ctx ends, the error is the cause of ctx and
// the error of the last try.
func retry(ctx context.Context, try func() error) error {
	const minPause, maxPause = 10 * time.Millisecond, 250 * time.Millisecond
	var lastErr error
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			lastErr = err // an attempt that ctx ended says nothing
			select {
			case <-time.After(pause):
				continue
			case <-ctx.Done():
			}
		}
		if lastErr == nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w; the last try: %w", context.Cause(ctx), lastErr)
	}
}
