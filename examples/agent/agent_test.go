package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/tools"
	"github.com/matryer/is"
)

// actAsAgent makes this test binary act as the program under test.
const actAsAgent = "DRYDOCK_AGENT_TEST_MAIN"

func TestMain(m *testing.M) {
	for _, entry := range os.Environ() { // no test has a key, or speaks to the vendor
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "ANTHROPIC_") && os.Getenv(actAsAgent) == "" {
			_ = os.Unsetenv(name)
		}
	}
	if os.Getenv(actAsAgent) != "" {
		if os.Getenv("ANTHROPIC_API_KEY") != "" {
			panic("a test with a key")
		}
		main()
	}
	os.Exit(m.Run())
}

// fakeTools are tools without a sandbox.
type fakeTools struct {
	call  func(ctx context.Context, name string, args json.RawMessage) (*tools.Result, error)
	calls []string
}

var fakeSchema = json.RawMessage(`{"type":"object","properties":{"path":{"type":"string"}},"required":["path"],"additionalProperties":false}`)

func (f *fakeTools) Tools() (all []tools.Tool) {
	for _, name := range []string{"write_file", "edit_file", "read_file", "execute"} {
		all = append(all, tools.Tool{Name: name, Description: "does " + name, Schema: fakeSchema})
	}
	return all
}

func (f *fakeTools) Call(ctx context.Context, name string, args json.RawMessage) (*tools.Result, error) {
	f.calls = append(f.calls, name+" "+string(args))
	return f.call(ctx, name, args)
}

// modelAnswer is an answer of the model. If status is set it is an error.
type modelAnswer struct {
	status  int
	content string // a JSON array
	reason  anthropic.StopReason
}

// fakeModel gives its answers in turn, and then again from the first. It keeps the requests, and
// fails the test if the API would refuse one.
type fakeModel struct {
	mu       sync.Mutex
	requests []wireRequest
}

func serve(t *testing.T, answers ...modelAnswer) (*fakeModel, anthropic.MessageService) {
	t.Helper()
	m := &fakeModel{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		var request wireRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		if err := request.check(); err != nil {
			t.Errorf("request %d: %v", len(m.requests), err)
		}
		a := answers[len(m.requests)%len(answers)]
		m.requests = append(m.requests, request)
		w.Header().Set("Content-Type", "application/json")
		if a.status != 0 {
			w.WriteHeader(a.status)
			fmt.Fprint(w, a.content)
			return
		}
		fmt.Fprintf(w, `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":%s,"stop_reason":%q,"stop_sequence":null,
			"usage":{"input_tokens":10,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":4}}`, a.content, a.reason)
	}))
	t.Cleanup(server.Close)
	return m, scripted(server.URL)
}

// newAgent returns an agent whose terminal is a buffer.
func newAgent(t *testing.T, messages anthropic.MessageService, set toolset) (*agent, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	return &agent{messages: messages, model: "m", system: "be good", tools: set, out: &out, maxTurns: 5,
		figures: &figures{dir: filepath.Join(t.TempDir(), "out")}}, &out
}

func text(s string) func(context.Context, string, json.RawMessage) (*tools.Result, error) {
	return func(context.Context, string, json.RawMessage) (*tools.Result, error) {
		return &tools.Result{Text: s}, nil
	}
}

const (
	oneCall  = `[{"type":"tool_use","id":"toolu_1","name":"execute","input":{"command":"ls"}}]`
	twoCalls = `[{"type":"text","text":"two"},{"type":"tool_use","id":"toolu_1","name":"read_file","input":{"path":"a"}},{"type":"tool_use","id":"toolu_2","name":"nothing","input":{}}]`
	bye      = `[{"type":"text","text":"bye"}]`
)

func TestParallelCallsAreAnsweredInOrder(t *testing.T) {
	is := is.New(t)
	m, messages := serve(t, modelAnswer{content: twoCalls, reason: "tool_use"}, modelAnswer{content: bye, reason: "end_turn"})
	set := &fakeTools{call: func(_ context.Context, name string, _ json.RawMessage) (*tools.Result, error) {
		if name == "nothing" {
			return &tools.Result{Text: "there is no tool nothing", IsError: true}, nil
		}
		return &tools.Result{Images: []tools.Image{{MediaType: "image/png", Data: pixel(t)}},
			Documents: []tools.Document{{MediaType: "application/pdf", Name: "a.pdf", Data: []byte("%PDF-1.7")}}}, nil
	}}
	a, out := newAgent(t, messages, set)
	is.NoErr(a.run(t.Context(), "go"))
	is.Equal(set.calls, []string{`read_file {"path":"a"}`, `nothing {}`}) // calls as the model made them
	is.Equal(len(m.requests), 2)                                          // requests
	is.Equal(len(m.requests[0].Tools), 4)                                 // tools offered
	is.Equal(m.requests[0].Tools[0].InputSchema.Required, []string{"path"})
	last := m.requests[1].Messages[2].Content
	is.Equal(len(last), 2) // both results in one message
	is.Equal(last[0].ToolUseID, "toolu_1")
	is.Equal(last[1].ToolUseID, "toolu_2")
	is.Equal([]bool{last[0].IsError, last[1].IsError}, []bool{false, true})
	is.Equal(len(last[0].Content), 3) // text, image, document
	is.Equal(last[0].Content[0].Text, "(no output)")
	is.Equal(last[0].Content[1].Source.Data, base64.StdEncoding.EncodeToString(pixel(t)))
	is.Equal(last[0].Content[2].Source.MediaType, "application/pdf")
	is.True(strings.Contains(out.String(), "bye"))
	is.Equal(a.used, usedTokens{messages: 2, in: 30, cached: 6, out: 8})
	saved, err := os.ReadFile(filepath.Join(a.figures.dir, "a.png"))
	is.NoErr(err)
	is.Equal(saved, pixel(t))
}

func TestTheLoopStops(t *testing.T) {
	call := modelAnswer{content: oneCall, reason: "tool_use"}
	for _, test := range []struct {
		name     string
		answers  []modelAnswer
		want     string // in the error; empty is none
		requests int
		calls    int
	}{
		{"at its end", []modelAnswer{call, {content: bye, reason: "end_turn"}}, "", 2, 1},
		{"after too many turns", []modelAnswer{call}, "stopped after 5 messages", 5, 5},
		{"cut text", []modelAnswer{{content: bye, reason: "max_tokens"}}, "was cut after", 1, 0},
		{"a cut call is not made", []modelAnswer{{content: oneCall, reason: "max_tokens"}, {content: bye, reason: "end_turn"}}, "", 2, 0},
		{"refusal", []modelAnswer{{content: `[]`, reason: "refusal"}}, "refused", 1, 0},
		{"refusal with a call", []modelAnswer{{content: oneCall, reason: "refusal"}}, "refused", 1, 0},
		{"context", []modelAnswer{{content: bye, reason: "model_context_window_exceeded"}}, "too long", 1, 0},
		{"empty end", []modelAnswer{{content: `[]`, reason: "end_turn"}}, "", 1, 0},
		{"unknown", []modelAnswer{{content: bye, reason: "tired"}}, "tired", 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			m, messages := serve(t, test.answers...)
			set := &fakeTools{call: text("ok")}
			a, _ := newAgent(t, messages, set)
			err := a.run(t.Context(), "go")
			if test.want == "" {
				is.NoErr(err)
			} else {
				is.True(errors.As(err, new(*stopped)))            // so that a conversation can go on
				is.True(strings.Contains(err.Error(), test.want)) // why
			}
			is.Equal(len(m.requests), test.requests) // requests
			is.Equal(len(set.calls), test.calls)     // calls
			// Whatever it was, the next prompt makes a request that the API takes: see serve.
			_ = a.run(t.Context(), "once more")
			is.True(len(m.requests) > test.requests)
		})
	}
}

func TestAPIError(t *testing.T) {
	is := is.New(t)
	m, messages := serve(t, modelAnswer{status: 529, content: `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`},
		modelAnswer{content: bye, reason: "end_turn"})
	a, out := newAgent(t, messages, &fakeTools{call: text("ok")})
	err := a.run(t.Context(), "go")
	var refused *anthropic.Error
	is.True(errors.As(err, &refused))
	is.Equal(refused.StatusCode, 529)
	is.NoErr(a.run(t.Context(), "again"))
	is.Equal(len(m.requests[1].Messages), 1) // both prompts are in one message of the user
	is.Equal(m.requests[1].Messages[0].Content.text(), "goagain")
	is.Equal(strings.TrimSpace(out.String()), "bye")
}

func TestLostSandboxEndsTheLoop(t *testing.T) {
	is := is.New(t)
	m, messages := serve(t, modelAnswer{content: twoCalls, reason: "tool_use"})
	set := &fakeTools{call: func(context.Context, string, json.RawMessage) (*tools.Result, error) {
		return nil, fmt.Errorf("exec: %w", sandbox.ErrLost)
	}}
	a, _ := newAgent(t, messages, set)
	is.True(errors.Is(a.run(t.Context(), "go"), sandbox.ErrLost))
	is.Equal(len(set.calls), 1)  // the second call was not made
	is.Equal(len(m.requests), 1) // and the model not asked again
}

func TestCancelEndsTheLoop(t *testing.T) {
	why := errors.New("enough")
	t.Run("in a call", func(t *testing.T) {
		is := is.New(t)
		_, messages := serve(t, modelAnswer{content: oneCall, reason: "tool_use"})
		ctx, cancel := context.WithCancelCause(t.Context())
		set := &fakeTools{call: func(ctx context.Context, _ string, _ json.RawMessage) (*tools.Result, error) {
			cancel(why)
			return nil, context.Cause(ctx)
		}}
		a, _ := newAgent(t, messages, set)
		is.Equal(a.run(ctx, "go"), why)
	})
	t.Run("in a request", func(t *testing.T) {
		is := is.New(t)
		asked := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = new(bytes.Buffer).ReadFrom(r.Body) // so that the server sees the client go
			close(asked)
			<-r.Context().Done()
		}))
		defer server.Close()
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-asked
			cancel(why)
		}()
		a, _ := newAgent(t, scripted(server.URL), &fakeTools{call: text("ok")})
		is.Equal(a.run(ctx, "go"), why)
	})
}

func TestImagesThatTheAPIRefuses(t *testing.T) {
	big := &tools.Result{Text: "x.png", Images: []tools.Image{{MediaType: "image/png", Data: make([]byte, maxImage/4*3+3)}}}
	wide := &tools.Result{Text: "x.png", JSON: json.RawMessage(`{"width":8001,"height":1}`), Images: []tools.Image{{MediaType: "image/png", Data: pixel(t)}}}
	for name, r := range map[string]*tools.Result{"bytes": big, "pixels": wide} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			got := toolResult("toolu_1", r).Content
			is.Equal(len(got), 1) // no image
			is.True(strings.Contains(got[0].OfText.Text, "too large"))
		})
	}
	t.Run("just small enough", func(t *testing.T) {
		is := is.New(t)
		r := &tools.Result{Images: []tools.Image{{MediaType: "image/png", Data: make([]byte, maxImage/4*3)}}}
		is.Equal(len(toolResult("toolu_1", r).Content), 2)
	})
	t.Run("errors are text", func(t *testing.T) {
		is := is.New(t)
		r := *wide
		r.IsError, r.JSON = true, nil
		is.Equal(len(toolResult("toolu_1", &r).Content), 1)
	})
}

func TestFigures(t *testing.T) {
	is := is.New(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	f := &figures{dir: dir}
	call := func(path string) anthropic.ToolUseBlock {
		args, err := json.Marshal(map[string]string{"path": path})
		is.NoErr(err)
		return anthropic.ToolUseBlock{Name: "read_file", Input: args}
	}
	for _, test := range []struct{ path, data, want string }{
		{"x/iris.png", "one", "iris.png"},
		{"iris.png", "one", "iris.png"}, // the same bytes
		{"iris.png", "two", "iris-2.png"},
		{"../../..", "up", "figure.png"},
		{"..\\..\\évil \x1b[31m.sh", "x", "_..__vil___31m.png"},
		{".bashrc", "y", "figure-2.png"},
		{strings.Repeat("long", 100), "z", strings.Repeat("long", 15) + ".png"},
		{"", "up", "figure.png"},
	} {
		got, err := f.save(call(test.path), tools.Image{MediaType: "image/png", Data: []byte(test.data)})
		is.NoErr(err)
		is.Equal(got, filepath.Join(dir, test.want))
		data, err := os.ReadFile(got)
		is.NoErr(err)
		is.Equal(string(data), test.data)
	}
}

// A link in the directory leads nowhere, even to a file that has the same bytes.
func TestFiguresFollowNoLink(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	is.NoErr(os.WriteFile(secret, []byte("same"), 0o600))
	if err := os.Symlink(secret, filepath.Join(dir, "iris.png")); err != nil {
		t.Skip(err)
	}
	got, err := (&figures{dir: dir}).save(anthropic.ToolUseBlock{Input: json.RawMessage(`{"path":"iris.png"}`)},
		tools.Image{MediaType: "image/png", Data: []byte("same")})
	is.NoErr(err)
	is.Equal(got, filepath.Join(dir, "iris-2.png"))
}
