package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The wire format of POST /v1/messages, as far as the script needs it:
// https://docs.anthropic.com/en/api/messages

type wireRequest struct {
	Model     string        `json:"model"`
	MaxTokens int64         `json:"max_tokens"`
	Stream    bool          `json:"stream"`
	Messages  []wireMessage `json:"messages"`
	Tools     []wireTool    `json:"tools"`
}

type wireMessage struct {
	Role    string      `json:"role"`
	Content wireContent `json:"content"`
}

type wireTool struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	InputSchema struct {
		Type       string                     `json:"type"`
		Properties map[string]json.RawMessage `json:"properties"`
		Required   []string                   `json:"required"`
	} `json:"input_schema"`
}

// wireContent is an array of blocks; a string is short for one block of text.
type wireContent []wireBlock

type wireBlock struct {
	Type string `json:"type"`
	Text string `json:"text,omitempty"` // of text

	ID    string          `json:"id,omitempty"` // of tool_use
	Name  string          `json:"name,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`

	ToolUseID string      `json:"tool_use_id,omitempty"` // of tool_result
	IsError   bool        `json:"is_error,omitempty"`
	Content   wireContent `json:"content,omitempty"`

	Source *wireSource `json:"source,omitempty"` // of image and document
}

type wireSource struct {
	Type      string `json:"type"`
	MediaType string `json:"media_type"`
	Data      string `json:"data"`
}

func (c *wireContent) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*c = wireContent{{Type: "text", Text: text}}
		return nil
	}
	return json.Unmarshal(data, (*[]wireBlock)(c))
}

func (c wireContent) text() string {
	var b strings.Builder
	for _, block := range c {
		b.WriteString(block.Text)
	}
	return b.String()
}

// scriptServer is the scripted model on a loopback port. It has no memory: as in the API, every
// request holds the whole conversation.
type scriptServer struct {
	url   string
	close func()
}

func serveScript() (*scriptServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the scripted model: %w", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(handleScript), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // ErrServerClosed
	}()
	return &scriptServer{"http://" + l.Addr().String(), func() {
		_ = server.Close()
		<-served
	}}, nil
}

// refusal is an error of the API.
type refusal struct {
	status     int
	kind, text string
}

func (r *refusal) Error() string { return r.text }

func invalid(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, "invalid_request_error", fmt.Sprintf(format, args...)}
}

func handleScript(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "req_script")
	answer, err := respond(w, r)
	if err != nil {
		refused := &refusal{http.StatusBadRequest, "invalid_request_error", err.Error()}
		errors.As(err, &refused)
		w.WriteHeader(refused.status)
		answer = map[string]any{"type": "error", "request_id": "req_script",
			"error": map[string]any{"type": refused.kind, "message": refused.text}}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(answer) // fails only if the client has gone
}

// maxRequest is the API's maximum size of a request in bytes.
const maxRequest = 32 << 20

func respond(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	switch {
	case r.URL.Path != "/v1/messages":
		return nil, &refusal{http.StatusNotFound, "not_found_error", "there is only /v1/messages"}
	case r.Method != http.MethodPost:
		return nil, &refusal{http.StatusMethodNotAllowed, "invalid_request_error", "use POST"}
	case r.Header.Get("X-Api-Key") != scriptKey:
		return nil, &refusal{http.StatusUnauthorized, "authentication_error", "invalid x-api-key"}
	case r.Header.Get("Anthropic-Version") == "":
		return nil, invalid("anthropic-version: header is required")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if errors.As(err, new(*http.MaxBytesError)) {
		return nil, &refusal{http.StatusRequestEntityTooLarge, "request_too_large", "request exceeds 32 MB"}
	}
	if err != nil {
		return nil, err
	}
	var request wireRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, invalid("the body is not a request: %v", err)
	}
	if err := request.check(); err != nil {
		return nil, err
	}
	next, err := play(&request)
	if err != nil {
		return nil, err
	}
	number := len(request.Messages)/2 + 1
	content := []map[string]any{}
	if next.text != "" {
		content = append(content, map[string]any{"type": "text", "text": next.text})
	}
	reason := "end_turn"
	for i, c := range next.calls {
		reason = "tool_use"
		content = append(content, map[string]any{"type": "tool_use", "name": c.name, "input": c.args,
			"id": fmt.Sprintf("toolu_script_%02d_%d", number, i+1)})
	}
	said, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"id": fmt.Sprintf("msg_script_%02d", number), "type": "message", "role": "assistant",
		"model": request.Model, "content": content, "stop_reason": reason, "stop_sequence": nil,
		// A script has no tokens; four bytes are about one.
		"usage": map[string]any{"input_tokens": len(body) / 4, "output_tokens": len(said) / 4,
			"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
	}, nil
}

var (
	toolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	magic    = map[string]string{
		"image/png": "\x89PNG\r\n\x1a\n", "image/jpeg": "\xff\xd8\xff", "image/gif": "GIF8", "image/webp": "RIFF",
		"application/pdf": "%PDF-",
	}
)

// check refuses the requests that the API refuses, and roles that do not alternate, which the
// API would merge.
func (r *wireRequest) check() error {
	switch {
	case r.Model == "":
		return invalid("model: field required")
	case r.MaxTokens < 1:
		return invalid("max_tokens: must be greater than or equal to 1")
	case r.Stream:
		return invalid("stream: this script does not stream")
	case len(r.Messages) == 0:
		return invalid("messages: at least one message is required")
	}
	for i, t := range r.Tools {
		switch {
		case !toolName.MatchString(t.Name):
			return invalid("tools.%d.name: %q does not match %s", i, t.Name, toolName)
		case slices.ContainsFunc(r.Tools[:i], func(u wireTool) bool { return u.Name == t.Name }):
			return invalid("tools: Tool names must be unique, and %s is not", t.Name)
		case t.Description == "":
			return invalid("tools.%d.description: %s has none", i, t.Name)
		case t.InputSchema.Type != "object" || t.InputSchema.Properties == nil:
			return invalid("tools.%d.input_schema: that of %s has no properties, not even none", i, t.Name)
		}
		for _, name := range t.InputSchema.Required {
			if t.InputSchema.Properties[name] == nil {
				return invalid("tools.%d.input_schema: %s is required and not there", i, name)
			}
		}
	}
	var calls []string // of the last message
	for i, m := range r.Messages {
		if want := []string{"user", "assistant"}[i%2]; m.Role != want {
			return invalid("messages.%d.role: %q, and not %s: roles must alternate", i, m.Role, want)
		}
		if len(m.Content) == 0 {
			return invalid("messages.%d: all messages must have non-empty content", i)
		}
		var answered, made []string
		for j, b := range m.Content {
			place := fmt.Sprintf("messages.%d.content.%d", i, j)
			switch {
			case b.Type == "text" && strings.TrimSpace(b.Text) == "":
				return invalid("%s: text content blocks must be non-empty", place)
			case b.Type == "text":
			case b.Type == "tool_use" && m.Role == "assistant" && b.ID != "" && toolName.MatchString(b.Name) && bytes.HasPrefix(b.Input, []byte("{")):
				made = append(made, b.ID)
			case b.Type == "tool_result" && m.Role == "user":
				if len(answered) != j {
					return invalid("%s: tool_result blocks come before all others", place)
				}
				answered = append(answered, b.ToolUseID)
				if err := b.check(place); err != nil {
					return err
				}
			default:
				return invalid("%s: a block of type %q is not expected of %s", place, b.Type, m.Role)
			}
		}
		if m.Role == "user" && !slices.Equal(answered, calls) {
			return invalid("messages.%d: `tool_use` ids %q were found, and `tool_result` blocks of %q after them", i, calls, answered)
		}
		calls = made
	}
	if last := r.Messages[len(r.Messages)-1]; last.Role != "user" {
		return invalid("messages: the last one is not the user's")
	}
	return nil
}

// check refuses a tool_result that the API refuses. place is its place in the request.
func (b *wireBlock) check(place string) error {
	if len(b.Content) == 0 {
		return invalid("%s.content: is empty", place)
	}
	for i, c := range b.Content {
		switch {
		case c.Type == "text" && strings.TrimSpace(c.Text) == "":
			return invalid("%s.content.%d: text content blocks must be non-empty", place, i)
		case c.Type == "text":
		case c.Type != "image" && c.Type != "document":
			return invalid("%s.content.%d: a block of type %q is not expected", place, i, c.Type)
		case b.IsError:
			return invalid("%s: all content must be type `text` if `is_error` is true", place)
		case c.Source == nil || c.Source.Type != "base64":
			return invalid("%s.content.%d.source: is not base64", place, i)
		case (c.Type == "document") != (c.Source.MediaType == "application/pdf"):
			return invalid("%s.content.%d.source.media_type: %q is not of %s", place, i, c.Source.MediaType, c.Type)
		case c.Type == "image" && len(c.Source.Data) > maxImage:
			return invalid("%s.content.%d.source.base64: image exceeds 5 MB maximum: %d bytes > %d bytes", place, i, len(c.Source.Data), maxImage)
		default:
			data, err := base64.StdEncoding.DecodeString(c.Source.Data)
			start := magic[c.Source.MediaType]
			if err != nil || start == "" || !bytes.HasPrefix(data, []byte(start)) {
				return invalid("%s.content.%d.source: the data is not %q in base64", place, i, c.Source.MediaType)
			}
		}
	}
	return nil
}
