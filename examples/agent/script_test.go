package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/drydock-go/drydock/tools"
	"github.com/matryer/is"
)

// pixel is a small PNG.
func pixel(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pretend returns tools that behave like a sandbox in which plot.py is run.
func pretend(t *testing.T) *fakeTools {
	file := ""
	return &fakeTools{call: func(_ context.Context, name string, args json.RawMessage) (*tools.Result, error) {
		var v struct {
			Path, Content, Command string
			Old                    string `json:"old_string"`
			New                    string `json:"new_string"`
		}
		if err := json.Unmarshal(args, &v); err != nil {
			t.Error(err)
		}
		switch {
		case name == "write_file":
			file = v.Content
			return &tools.Result{Text: "created plot.py"}, nil
		case name == "edit_file":
			file = strings.ReplaceAll(file, v.Old, v.New)
			return &tools.Result{Text: "edited plot.py"}, nil
		case name == "read_file" && v.Path == "iris.png":
			return &tools.Result{Text: "iris.png: image/png", Images: []tools.Image{{MediaType: "image/png", Data: pixel(t)}}}, nil
		case name == "read_file":
			return &tools.Result{Text: file}, nil
		case v.Command == columns:
			return &tools.Result{Text: "petal length (cm)\npetal width (cm)"}, nil
		case strings.Contains(file, mistake):
			return &tools.Result{Text: "File \"/workspace/plot.py\", line 9, in <module>\nKeyError: 'petal length'\n[exit code 1]", IsError: true}, nil
		}
		return &tools.Result{Text: "150 flowers of 3 species are in iris.png"}, nil
	}}
}

// script starts the scripted model.
func script(t *testing.T) anthropic.MessageService {
	t.Helper()
	server, err := serveScript()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.close)
	return scripted(server.url)
}

func TestScriptPlaysToItsEndAndAgain(t *testing.T) {
	is := is.New(t)
	// Nothing else that could lead the SDK to another server has an effect.
	t.Setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
	t.Setenv("ANTHROPIC_AUTH_TOKEN", "token")
	t.Setenv("ANTHROPIC_PROFILE", "nobody")
	t.Setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Api-Key: other")
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	set := pretend(t)
	a, out := newAgent(t, script(t), set)
	a.maxTurns = 50
	for range 2 {
		set.calls = nil
		is.NoErr(a.run(t.Context(), onlyJob))
		var names []string
		for _, c := range set.calls {
			name, _, _ := strings.Cut(c, " ")
			names = append(names, name)
		}
		is.Equal(names, []string{"write_file", "execute", "read_file", "execute", "edit_file", "execute", "read_file"})
		is.True(strings.Contains(set.calls[2], `"offset":8`)) // the line comes from the traceback
	}
	is.Equal(strings.Count(out.String(), "3 x 2 pixels"), 2) // the server decoded the image
}

func TestScriptOnOtherThings(t *testing.T) {
	for _, test := range []struct {
		name, prompt, want string
		call               func(context.Context, string, json.RawMessage) (*tools.Result, error)
	}{
		{"another prompt", "Write a poem.", "know one job", nil},
		{"a denial", onlyJob, "use a pencil", func(context.Context, string, json.RawMessage) (*tools.Result, error) {
			return &tools.Result{Text: "permission denied: use a pencil", IsError: true}, nil
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			a, out := newAgent(t, script(t), &fakeTools{call: test.call})
			is.NoErr(a.run(t.Context(), test.prompt))
			is.True(strings.Contains(out.String(), test.want))
		})
	}
	t.Run("no tools", func(t *testing.T) {
		is := is.New(t)
		a, out := newAgent(t, script(t), noTools{})
		is.NoErr(a.run(t.Context(), onlyJob))
		is.True(strings.Contains(out.String(), "I need the tool write_file"))
	})
}

type noTools struct{ toolset }

func (noTools) Tools() []tools.Tool { return nil }

// An unexpected result ends the script with an error of the API.
func TestScriptRefusesWrongResults(t *testing.T) {
	for nth := 1; nth <= 7; nth++ {
		t.Run(fmt.Sprint("call ", nth), func(t *testing.T) {
			is := is.New(t)
			set, n := pretend(t), 0
			right := set.call
			set.call = func(ctx context.Context, name string, args json.RawMessage) (*tools.Result, error) {
				r, err := right(ctx, name, args)
				if n++; n == nth {
					r = &tools.Result{Text: "something else", IsError: r.IsError}
				}
				return r, err
			}
			a, _ := newAgent(t, script(t), set)
			a.maxTurns = 50
			err := a.run(t.Context(), onlyJob)
			var refused *anthropic.Error
			is.True(errors.As(err, &refused))
			is.Equal(refused.StatusCode, 400)
			is.Equal(string(refused.Type()), "invalid_request_error")
			is.True(strings.Contains(err.Error(), "of the script:"))
		})
	}
}

func TestServerRefusesWrongRequests(t *testing.T) {
	const (
		tool   = `{"name":"t","description":"d","input_schema":{"type":"object","properties":{"p":{"type":"string"}}}}`
		user   = `{"role":"user","content":"iris"}`
		use    = `{"role":"assistant","content":[{"type":"tool_use","id":"u1","name":"t","input":{}}]}`
		result = `{"role":"user","content":[{"type":"tool_result","tool_use_id":"u1","content":"ok"}]}`
	)
	with := func(messages ...string) string {
		return fmt.Sprintf(`{"model":"m","max_tokens":9,"tools":[%s],"messages":[%s]}`, tool, strings.Join(messages, ","))
	}
	resultOf := func(rest string) string {
		return `{"role":"user","content":[{"type":"tool_result","tool_use_id":"u1",` + rest + `}]}`
	}
	server, err := serveScript()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.close)
	for _, test := range []struct {
		name, body, want string
		status           int
	}{
		{"right", with(user), `"type":"message"`, 200},
		{"right with a result", with(user, use, result), `"type":"message"`, 200},
		{"no JSON", `{`, "not a request", 400},
		{"no model", `{"max_tokens":9,"messages":[` + user + `]}`, "model", 400},
		{"no max_tokens", `{"model":"m","messages":[` + user + `]}`, "max_tokens", 400},
		{"stream", `{"model":"m","max_tokens":9,"stream":true,"messages":[` + user + `]}`, "stream", 400},
		{"no messages", with(), "at least one", 400},
		{"tool without schema", `{"model":"m","max_tokens":9,"tools":[{"name":"t","description":"d"}],"messages":[` + user + `]}`, "input_schema", 400},
		{"tools of one name", `{"model":"m","max_tokens":9,"tools":[` + tool + `,` + tool + `],"messages":[` + user + `]}`, "unique", 400},
		{"begins with the assistant", with(use), "alternate", 400},
		{"two users", with(user, user), "alternate", 400},
		{"empty", with(`{"role":"user","content":[]}`), "non-empty content", 400},
		{"blank", with(`{"role":"user","content":" "}`), "non-empty", 400},
		{"unanswered", with(user, use, user), "were found", 400},
		{"another's result", with(user, use, strings.ReplaceAll(result, "u1", "u2")), "were found", 400},
		{"result of nothing", with(result), "were found", 400},
		{"ends with the assistant", with(user, use), "the last one", 400},
		{"empty result", with(user, use, resultOf(`"content":[]`)), "is empty", 400},
		{"image in an error", with(user, use, resultOf(`"is_error":true,"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]`)), "is_error", 400},
		{"image that is none", with(user, use, resultOf(`"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGVsbG8="}}]`)), "not \\\"image/png\\\"", 400},
		{"image that is not base64", with(user, use, resultOf(`"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"!"}}]`)), "not \\\"image/png\\\"", 400},
		{"too large", strings.Repeat(" ", maxRequest+1), "32 MB", 413},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			status, body := post(t, server.url, scriptKey, test.body)
			is.Equal(status, test.status)
			is.True(strings.Contains(body, test.want)) // the reason
			is.Equal(strings.Contains(body, `"type":"error"`), test.status != 200)
		})
	}
	t.Run("wrong key", func(t *testing.T) {
		is := is.New(t)
		status, body := post(t, server.url, "other", with(user))
		is.Equal(status, 401)
		is.True(strings.Contains(body, "authentication_error"))
	})
}

func post(t *testing.T, url, key, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/messages", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", key)
	r.Header.Set("Anthropic-Version", "2023-06-01")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	got, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	data, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(data)
}
