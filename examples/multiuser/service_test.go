package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/session"
	"github.com/matryer/is"
)

// offline returns a service whose engine cannot be reached, for answers that need none.
func offline(t *testing.T) *service {
	t.Helper()
	c := &config{timeout: time.Second, hosts: []string{"code.example.org"}}
	c.sessions.Sandbox.Engine = engine.Docker(&dockercli.Client{Path: "/nonexistent"})
	c.sessions.Logger = slog.New(slog.DiscardHandler)
	m, err := session.New(&c.sessions)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return newService(m, c)
}

// ask sends a request to a handler; headers are pairs of name and value.
func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:8080"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHost(t *testing.T) {
	h := offline(t)
	for host, want := range map[string]int{
		"127.0.0.1:8080":        200,
		"127.0.0.1":             200,
		"localhost:9999":        200, // a forwarded port
		"LOCALHOST":             200,
		"[::1]:8080":            200,
		"192.0.2.1:80":          200,
		"code.example.org":      200,
		"Code.Example.org:8080": 200,
		"":                      421,
		"evil.example":          421,
		"evil.example:8080":     421,
		"localhost.evil.test":   421,
		"127.0.0.1.evil.test":   421,
		"x.code.example.org":    421,
	} {
		t.Run(host, func(t *testing.T) {
			is := is.New(t)
			is.Equal(ask(h, "GET", "/", "", "Host", host).Code, want) // status
		})
	}
}

func TestOrigin(t *testing.T) {
	h := offline(t)
	for name, c := range map[string]struct {
		headers []string
		refused bool
	}{
		"no browser":         {nil, false},
		"own page":           {[]string{"Origin", "http://127.0.0.1:8080", "Sec-Fetch-Site", "same-origin"}, false},
		"typed":              {[]string{"Sec-Fetch-Site", "none"}, false},
		"another origin":     {[]string{"Origin", "http://evil.example"}, true},
		"another port":       {[]string{"Origin", "http://127.0.0.1:9090"}, true},
		"opaque":             {[]string{"Origin", "null"}, true},
		"no URL":             {[]string{"Origin", "::"}, true},
		"another site":       {[]string{"Sec-Fetch-Site", "cross-site"}, true},
		"another port's get": {[]string{"Sec-Fetch-Site", "same-site"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
				is := is.New(t)
				// The path has no handler, so a request that passes gets 404 or 405.
				w := ask(h, method, "/users", "", c.headers...)
				is.Equal(w.Code == http.StatusForbidden, c.refused) // refused, whatever the method
			}
		})
	}
}

func TestRefused(t *testing.T) {
	h := offline(t)
	const asJSON = "application/json"
	code := func(n int) string { return `{"language":"sh","code":"` + strings.Repeat("x", n) + `"}` }
	for name, c := range map[string]struct {
		method, target, body, kind string
		status                     int
		text                       string
	}{
		"no such page":        {"GET", "/nope", "", "", 404, "not found"},
		"no such method":      {"PATCH", "/users/ann/run", "", "", 405, "method not allowed"},
		"embedded directory":  {"GET", "/page/", "", "", 404, "not found"},
		"run without a type":  {"POST", "/users/ann/run", code(1), "", 415, "application/json"},
		"run as a form":       {"POST", "/users/ann/run", code(1), "text/plain", 415, "application/json"},
		"run no JSON":         {"POST", "/users/ann/run", "{", asJSON, 400, "language"},
		"run two objects":     {"POST", "/users/ann/run", code(1) + code(1), asJSON, 400, "language"},
		"run perl":            {"POST", "/users/ann/run", `{"language":"perl"}`, asJSON, 400, "python or sh"},
		"run a NUL":           {"POST", "/users/ann/run", `{"language":"sh","code":"\u0000"}`, asJSON, 400, "NUL"},
		"run much":            {"POST", "/users/ann/run", code(maxCode + 1), asJSON, 413, "100,000"},
		"run very much":       {"POST", "/users/ann/run", code(6*maxCode + 1000), asJSON, 413, "bytes"},
		"id run":              {"POST", "/users/-x/run", code(1), asJSON, 400, "invalid session id"},
		"id list":             {"GET", "/users/.x/files", "", "", 400, "invalid session id"},
		"id with a slash":     {"GET", "/users/a%2Fb/files", "", "", 400, "invalid session id"},
		"id of dots":          {"GET", "/users/%2e%2e%2fx/files/f", "", "", 400, "invalid session id"},
		"id with markup":      {"GET", "/users/%3Cscript%3E/files", "", "", 400, "invalid session id"},
		"id put":              {"PUT", "/users/a%20b/files/f", "", "", 400, "invalid session id"},
		"id delete":           {"DELETE", "/users/a%00b", "", "", 400, "invalid session id"},
		"id too long":         {"DELETE", "/users/" + strings.Repeat("a", 65), "", "", 400, "invalid session id"},
		"list absolute":       {"GET", "/users/ann/files?path=/etc", "", "", 400, "below the work dir"},
		"list above":          {"GET", "/users/ann/files?path=a/../../b", "", "", 400, "below the work dir"},
		"fetch absolute":      {"GET", "/users/ann/files/%2Fetc/passwd", "", "", 400, "below the work dir"},
		"fetch above":         {"GET", "/users/ann/files/a%2F..%2F..%2Fb", "", "", 400, "below the work dir"},
		"delete some":         {"DELETE", "/users/ann?files=some", "", "", 400, "keep or delete"},
		"the engine, unnamed": {"GET", "/users/ann/files", "", "", 503, "the container engine cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			w := ask(h, c.method, c.target, c.body, "Content-Type", c.kind)
			var got map[string]string
			is.NoErr(json.Unmarshal(w.Body.Bytes(), &got))
			is.Equal(w.Code, c.status)                                                      // status
			is.True(strings.Contains(got["error"], c.text))                                 // text
			is.True(!strings.Contains(got["error"], "nonexistent"))                         // and nothing of the host
			is.Equal(w.Header().Get("Content-Type"), "application/json")                    // never a page
			is.Equal(w.Header().Get("X-Content-Type-Options"), "nosniff")                   // nor taken for one
			is.True(strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox")) // nor run
		})
	}
}

func TestAllow(t *testing.T) {
	is := is.New(t)
	w := ask(offline(t), "GET", "/users/ann/run", "")
	is.Equal(w.Code, 405)                     // status
	is.Equal(w.Header().Get("Allow"), "POST") // what to send
}

func TestMaxRequests(t *testing.T) {
	is := is.New(t)
	s := offline(t)
	for range maxRequests {
		is.True(s.enter("ann")) // room
	}
	w := ask(s, "GET", "/users/ann/files", "")
	is.Equal(w.Code, 429)                                    // no room
	is.Equal(w.Header().Get("Retry-After"), "1")             // when
	is.Equal(ask(s, "GET", "/users/bo/files", "").Code, 503) // for ann alone: the engine's failure
	for range maxRequests {
		s.leave("ann")
	}
	is.Equal(len(s.running), 0) // no name stays
}

func TestDescribe(t *testing.T) {
	for err, want := range map[error]int{
		session.ErrFull:     503,
		session.ErrClosed:   503,
		session.ErrReleased: 409,
		sandbox.ErrLost:     503,
		sandbox.ErrClosed:   503,
		io.EOF:              500,
		&sandbox.Error{Op: "read", Code: "not_exist", Err: io.EOF}: 404,
		&sandbox.Error{Op: "read", Code: "is_dir", Err: io.EOF}:    409,
		&sandbox.Error{Op: "open", Err: io.EOF}:                    500,
	} {
		t.Run(err.Error(), func(t *testing.T) {
			is := is.New(t)
			got := describe(fmt.Errorf("get: %w", err))
			is.Equal(got.status, want)                                 // status
			is.Equal(got.retry > 0, want == 503)                       // and when again
			is.True(want != 500 || !strings.Contains(got.text, "EOF")) // nothing of the host
		})
	}
}

func TestPage(t *testing.T) {
	h := offline(t)
	for name, kind := range map[string]string{
		"/": "text/html", "/page.css": "text/css", "/page.js": "text/javascript", "/icon.svg": "image/svg+xml",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			w := ask(h, "GET", name, "")
			is.Equal(w.Code, 200)                                                                     // status
			is.True(strings.HasPrefix(w.Header().Get("Content-Type"), kind))                          // type
			is.True(strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src 'self'")) // policy
			is.True(!strings.Contains(w.Header().Get("Content-Security-Policy"), "unsafe"))           // strict
			text := w.Body.String()
			is.Equal(regexp.MustCompile(`https?://`).FindAllString(strings.ReplaceAll(text, "http://www.w3.org/2000/svg", ""), -1), nil)     // nothing from elsewhere
			is.Equal(regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\bon[a-z]+=|\bstyle=`).FindString(text), "") // no markup from data, nothing inline
		})
	}
}

func TestPartial(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "abc": 0, "é": 0, "a\xc3": 1, "a\xe2\x82": 2, "\xf0\x9f\x98": 3, "😀": 0,
		"\xff": 0, "\x80\x80\x80": 0, "\xf0\x9f\x98\x80\x80": 0, "\xe2(": 0,
	} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			is := is.New(t)
			is.Equal(partial([]byte(text)), want) // bytes held back
		})
	}
}

// Wherever a text is cut into writes, the client gets the bytes that were written, as text if
// they are text.
func TestPipe(t *testing.T) {
	for text, isText := range map[string]bool{"aé€😀z": true, "a\xffé\x00\xe2\x82": false, "\xe2\x82": false} {
		for cut := range len(text) + 1 {
			is := is.New(t)
			w := httptest.NewRecorder()
			o := &output{w: w, control: http.NewResponseController(w), remaining: 100, cancel: func(error) {}}
			p := &pipe{to: o, name: "stdout"}
			for _, b := range []string{text[:cut], text[cut:]} {
				n, err := p.Write([]byte(b))
				is.NoErr(err)
				is.Equal(n, len(b)) // all taken
			}
			p.flush()
			got, coded := "", false
			for d := json.NewDecoder(w.Body); d.More(); {
				var c chunk
				is.NoErr(d.Decode(&c))
				is.Equal(c.Stream, "stdout") // stream
				got += c.Data + string(c.Base64)
				coded = coded || c.Base64 != nil
			}
			is.Equal(got, text)      // every byte
			is.Equal(coded, !isText) // as text if it is text
		}
	}
}

func TestOutputLimit(t *testing.T) {
	is := is.New(t)
	w := httptest.NewRecorder()
	var cause error
	o := &output{w: w, control: http.NewResponseController(w), remaining: 10, cancel: func(err error) { cause = err }}
	out, other := &pipe{to: o, name: "stdout"}, &pipe{to: o, name: "stderr"}
	n, err := out.Write([]byte("0123456"))
	is.NoErr(err)
	is.Equal(n, 7) // all
	n, err = other.Write([]byte("789abc"))
	is.Equal(n, 3)                                      // what there is room for, of both streams
	is.Equal(err, errOutputLimit)                       // told
	is.Equal(cause, errOutputLimit)                     // and ended
	is.True(strings.Contains(w.Body.String(), `"789"`)) // the last of it
}
