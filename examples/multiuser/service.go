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
	// atOnce is how many requests one user has under way; a browser makes six.
	atOnce = 8
	// large is how many requests hold as much as a whole upload or listing in memory.
	large = 8
	// writeTime is the default of service.write.
	writeTime = 20 * time.Second
)

//go:embed page
var page embed.FS

// service answers the requests.
type service struct {
	manager *session.Manager
	timeout time.Duration // of a command
	write   time.Duration // that a client may take to accept one write
	hosts   []string
	log     *slog.Logger
	mux     *http.ServeMux
	large   chan struct{}

	mu       sync.Mutex
	underWay map[string]int // requests by user; those that have none are not in it
}

func newService(m *session.Manager, c *config) *service {
	s := &service{
		manager: m, timeout: c.timeout, write: writeTime, hosts: c.hosts, log: c.sessions.Logger,
		mux: http.NewServeMux(), large: make(chan struct{}, large), underWay: make(map[string]int),
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

// ServeHTTP lets through what the service is known by and its own page sends.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w = &deadlines{ResponseWriter: w, control: http.NewResponseController(w), each: s.write}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	// Whatever it is, it is no page: nothing in it is loaded, runs, or has an origin.
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
		// The mux knows whether it is 404 or 405; the text is ours.
		status := &discard{header: h}
		handler.ServeHTTP(status, r)
		s.fail(w, r, &refusal{status: status.code, text: strings.ToLower(http.StatusText(status.code))})
		return
	}
	s.mux.ServeHTTP(w, r)
}

// guard refuses what a browser sends on behalf of another site, reads as well as writes: a
// read opens a sandbox.
func (s *service) guard(r *http.Request) error {
	if !s.known(r.Host) {
		// A site whose name resolves to this address is not told from this service by
		// the browser.
		return &refusal{status: http.StatusMisdirectedRequest,
			text: "this service is not known by that host name; start it with --host for it to be"}
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

// known reports whether a Host header names this service. An address is no name that
// somebody else could make resolve to it.
func (s *service) known(host string) bool {
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

// forUser bounds what one user has under way, and answers with the error of do.
func (s *service) forUser(do func(http.ResponseWriter, *http.Request, string) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		if !s.enter(name) {
			s.fail(w, r, &refusal{status: http.StatusTooManyRequests, retry: 1,
				text: "this user has " + strconv.Itoa(atOnce) + " requests under way; wait for one to end"})
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
	if s.underWay[name] == atOnce {
		return false
	}
	s.underWay[name]++
	return true
}

func (s *service) leave(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.underWay[name]--; s.underWay[name] == 0 {
		delete(s.underWay, name)
	}
}

// hold waits for room for a request that takes much memory; let go of it with the function.
func (s *service) hold(r *http.Request) (func(), error) {
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

// refusal is an error of this service's own.
type refusal struct {
	status int
	text   string
	retry  int // seconds, or 0
}

func (e *refusal) Error() string { return e.text }

// describe says what the client is told of an error.
func describe(err error) *refusal {
	var own *refusal
	var inside *sandbox.Error
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &tooLong):
		return &refusal{status: http.StatusRequestEntityTooLarge, text: "more than " + strconv.FormatInt(tooLong.Limit, 10) + " bytes"}
	case errors.Is(err, session.ErrInvalidID):
		return &refusal{status: http.StatusBadRequest, text: err.Error()}
	case errors.Is(err, session.ErrFull):
		return &refusal{status: http.StatusServiceUnavailable, text: "as many users as there is room for are at work; try again later", retry: 30}
	case errors.Is(err, session.ErrClosed):
		return &refusal{status: http.StatusServiceUnavailable, text: "the service is shutting down", retry: 30}
	case errors.Is(err, session.ErrReleased):
		return &refusal{status: http.StatusConflict, text: "the user was released meanwhile"}
	case errors.Is(err, sandbox.ErrLost), errors.Is(err, sandbox.ErrClosed):
		return &refusal{status: http.StatusServiceUnavailable, text: "the sandbox ended; the next request opens another", retry: 1}
	case errors.Is(err, sandbox.ErrEngine):
		return &refusal{status: http.StatusServiceUnavailable, text: "the container engine cannot be reached", retry: 30}
	case errors.As(err, &inside):
		// A failure inside is the user's own to read.
		if status, ok := statuses[inside.Code]; ok {
			return &refusal{status: status, text: err.Error()}
		}
	}
	// Anything else may tell of the host, and is for its log.
	return &refusal{status: http.StatusInternalServerError, text: "internal error"}
}

// statuses are those of the codes of sandbox.Error that a request can bring about.
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
		return // nobody is there to be told
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

// writeJSON answers with v. An error is the client's going away, for which there is no help.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// pageHeaders allow a page what it loads from here, and nothing else.
func pageHeaders(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "+
			"img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
		h.ServeHTTP(w, r)
	})
}

// deadlines gives every write a time to be accepted in: a client that reads slowly loses its
// connection and does not hold on to it.
type deadlines struct {
	http.ResponseWriter
	control *http.ResponseController
	each    time.Duration
}

func (d *deadlines) Unwrap() http.ResponseWriter { return d.ResponseWriter }

func (d *deadlines) WriteHeader(status int) {
	_ = d.control.SetWriteDeadline(time.Now().Add(d.each))
	d.ResponseWriter.WriteHeader(status)
}

func (d *deadlines) Write(p []byte) (int, error) {
	_ = d.control.SetWriteDeadline(time.Now().Add(d.each))
	return d.ResponseWriter.Write(p)
}

// discard keeps the status of a response, and its headers but for the type of its body.
type discard struct {
	header http.Header
	code   int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(code int)        { d.code = code }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
