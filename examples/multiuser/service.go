package main

import (
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/session"
)

const (
	// maxRequests is the maximum of requests of one user at a time; a browser makes six.
	maxRequests = 8
	// maxLarge is the maximum of requests that hold a whole upload or listing in memory.
	maxLarge = 8
	// defaultWriteTimeout is the default of service.writeTimeout.
	defaultWriteTimeout = 20 * time.Second
)

//go:embed page
var page embed.FS

// service answers the requests.
type service struct {
	manager      *session.Manager
	timeout      time.Duration // of a command
	writeTimeout time.Duration // for a client to accept one write
	hosts        []string
	log          *slog.Logger
	mux          *http.ServeMux
	large        chan struct{} // see acquireLarge

	mu      sync.Mutex
	running map[string]int // number of requests by user; a user without one has no entry
}

func newService(m *session.Manager, c *config) *service {
	s := &service{
		manager: m, timeout: c.timeout, writeTimeout: defaultWriteTimeout, hosts: c.hosts, log: c.sessions.Logger,
		mux: http.NewServeMux(), large: make(chan struct{}, maxLarge), running: make(map[string]int),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the name is a constant
	}
	for _, name := range []string{"/{$}", "/page.css", "/page.js", "/icon.svg"} {
		s.mux.Handle("GET "+name, pageHeaders(http.FileServerFS(files)))
	}
	s.mux.Handle("POST /users/{name}/run", s.forUser(s.run))
	s.mux.Handle("GET /users/{name}/files", s.forUser(s.list))
	s.mux.Handle("GET /users/{name}/files/{path...}", s.forUser(s.download))
	s.mux.Handle("PUT /users/{name}/files/{path...}", s.forUser(s.upload))
	s.mux.Handle("DELETE /users/{name}", s.forUser(s.release))
	return s
}

// ServeHTTP handles requests for a known host name that are not from another site.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w = &deadlines{ResponseWriter: w, control: http.NewResponseController(w), timeout: s.writeTimeout}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	// No response but the page itself may load anything, run scripts, or have an origin.
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if err := s.guard(r); err != nil {
		s.fail(w, r, err)
		return
	}
	handler, pattern := s.mux.Handler(r)
	if pattern == "" {
		// The mux decides between 404 and 405; the text is this service's.
		status := &discard{header: h}
		handler.ServeHTTP(status, r)
		s.fail(w, r, &refusal{status: status.code, text: strings.ToLower(http.StatusText(status.code))})
		return
	}
	s.mux.ServeHTTP(w, r)
}

// guard refuses requests that a browser sends on behalf of another site. It refuses reads as
// well as writes, because a read opens a sandbox.
func (s *service) guard(r *http.Request) error {
	if !s.isKnownHost(r.Host) {
		// If the name of another site resolves to this address, the browser takes this
		// service for that site.
		return &refusal{status: http.StatusMisdirectedRequest,
			text: "unknown host name; add it with --host when starting the service"}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none": // none: the user typed the address
	default:
		return &refusal{status: http.StatusForbidden, text: "the request comes from another site"}
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host != r.Host {
			return &refusal{status: http.StatusForbidden, text: "the request comes from another origin"}
		}
	}
	return nil
}

// isKnownHost reports whether a Host header names this service. An IP address always does: it
// is no name that somebody else could point here.
func (s *service) isKnownHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	host = strings.ToLower(host)
	return host == "localhost" || slices.Contains(s.hosts, host)
}

// forUser calls do with the user of a request, and answers with its error. It refuses more
// than maxRequests of one user at a time.
func (s *service) forUser(do func(http.ResponseWriter, *http.Request, string) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		if !s.enter(name) {
			s.fail(w, r, &refusal{status: http.StatusTooManyRequests, retry: 1,
				text: "this user has " + strconv.Itoa(maxRequests) + " requests under way; wait for one to end"})
			return
		}
		defer s.leave(name)
		if err := do(w, r, name); err != nil {
			s.fail(w, r, err)
		}
	})
}

func (s *service) enter(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[name] == maxRequests {
		return false
	}
	s.running[name]++
	return true
}

func (s *service) leave(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[name]--; s.running[name] == 0 {
		delete(s.running, name)
	}
}

// acquireLarge waits until a request may take much memory. The function that it returns gives
// the memory back.
func (s *service) acquireLarge(r *http.Request) (func(), error) {
	select {
	case s.large <- struct{}{}:
		return func() { <-s.large }, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// release ends the sandbox of a user.
func (s *service) release(w http.ResponseWriter, r *http.Request, name string) error {
	opts := &session.ReleaseOptions{}
	switch files := r.URL.Query().Get("files"); files {
	case "", "keep":
	case "delete":
		opts.DeleteWorkspace = true
	default:
		return &refusal{status: http.StatusBadRequest, text: "files: write keep or delete"}
	}
	if err := s.manager.Release(r.Context(), name, opts); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// refusal is an error with the answer that a client gets for it.
type refusal struct {
	status int
	text   string
	retry  int // seconds until a retry makes sense, or 0
}

func (e *refusal) Error() string { return e.text }

// describe returns the answer that a client gets for an error.
func describe(err error) *refusal {
	var refused *refusal
	var failed *sandbox.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &tooLarge):
		return &refusal{status: http.StatusRequestEntityTooLarge, text: "more than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes"}
	case errors.Is(err, session.ErrInvalidID):
		return &refusal{status: http.StatusBadRequest, text: err.Error()}
	case errors.Is(err, session.ErrFull):
		return &refusal{status: http.StatusServiceUnavailable, text: "the maximum of users is reached; try again later", retry: 30}
	case errors.Is(err, session.ErrClosed):
		return &refusal{status: http.StatusServiceUnavailable, text: "the service is shutting down", retry: 30}
	case errors.Is(err, session.ErrReleased):
		return &refusal{status: http.StatusConflict, text: "the user was released meanwhile"}
	case errors.Is(err, sandbox.ErrLost), errors.Is(err, sandbox.ErrClosed):
		return &refusal{status: http.StatusServiceUnavailable, text: "the sandbox ended; the next request opens another", retry: 1}
	case errors.Is(err, sandbox.ErrEngine):
		return &refusal{status: http.StatusServiceUnavailable, text: "the container engine cannot be reached", retry: 30}
	case errors.As(err, &failed):
		// The text is about the user's own files and commands.
		if status, ok := statuses[failed.Code]; ok {
			return &refusal{status: status, text: err.Error()}
		}
	}
	// Anything else may hold names of the host, and goes to its log only.
	return &refusal{status: http.StatusInternalServerError, text: "internal error"}
}

// statuses maps the codes of sandbox.Error that a request can cause.
var statuses = map[sandbox.Code]int{
	sandbox.CodeNotExist:        http.StatusNotFound,
	sandbox.CodePermission:      http.StatusForbidden,
	sandbox.CodeReadOnly:        http.StatusForbidden,
	sandbox.CodeExist:           http.StatusConflict,
	sandbox.CodeIsDir:           http.StatusConflict,
	sandbox.CodeNotDir:          http.StatusConflict,
	sandbox.CodeNotRegular:      http.StatusConflict,
	sandbox.CodeBusy:            http.StatusConflict,
	sandbox.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	sandbox.CodeNoSpace:         http.StatusInsufficientStorage,
	sandbox.CodeNameTooLong:     http.StatusBadRequest,
	sandbox.CodeLoop:            http.StatusBadRequest,
	sandbox.CodeInvalid:         http.StatusBadRequest,
	sandbox.CodeCommandNotFound: http.StatusUnprocessableEntity,
	sandbox.CodeNotExecutable:   http.StatusUnprocessableEntity,
}

func (s *service) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client has gone
	}
	e := describe(err)
	if e.status == http.StatusInternalServerError {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	if e.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.retry))
	}
	writeJSON(w, e.status, map[string]string{"error": e.text})
}

// writeJSON answers with v. If that fails the client has gone.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// pageHeaders allows the page to load its own files, and nothing else.
func pageHeaders(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "+
			"img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
		h.ServeHTTP(w, r)
	})
}

// deadlines bounds the time of every write, so that a client that reads too slowly loses its
// connection.
type deadlines struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration // of one write
}

func (d *deadlines) Unwrap() http.ResponseWriter { return d.ResponseWriter }

func (d *deadlines) WriteHeader(status int) {
	_ = d.control.SetWriteDeadline(time.Now().Add(d.timeout))
	d.ResponseWriter.WriteHeader(status)
}

func (d *deadlines) Write(p []byte) (int, error) {
	_ = d.control.SetWriteDeadline(time.Now().Add(d.timeout))
	return d.ResponseWriter.Write(p)
}

// discard keeps the status and the headers of a response, and drops its body.
type discard struct {
	header http.Header
	code   int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(code int)        { d.code = code }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
