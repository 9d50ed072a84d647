package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Tool is an operation that a model can call.
type Tool struct {
	Name        string
	Description string
	// Schema is the JSON Schema (draft 2020-12) of the arguments: an object.
	Schema json.RawMessage
	// ReadOnly: it changes nothing. Destructive: it can overwrite or remove something.
	ReadOnly, Destructive bool

	set    *Set
	op     Operation
	params []param
	run    func(c *call, ctx context.Context) (*Result, error) // a method of call
}

// Result is the answer of a Tool to the model.
type Result struct {
	// Text is the whole answer, in valid UTF-8 and at most Options.MaxOutput bytes.
	Text string
	// JSON is the same answer for programs, or nil.
	JSON json.RawMessage
	// Images and Documents are files that a model takes as such and not as text.
	Images    []Image
	Documents []Document
	// IsError: the call failed, or so did the command or code that it ran. Text says why,
	// and what to do next.
	IsError bool
}

// Image is a picture that a model can see.
type Image struct {
	MediaType string // image/png, image/jpeg, image/gif or image/webp
	Data      []byte
}

// Document is a file that a model can read in its own format.
type Document struct {
	MediaType string // application/pdf
	Name      string // the last element of its path
	Data      []byte
}

// call is one call of a tool.
type call struct {
	*Set
	tool *Tool
	args values
	// approved: Options.Ask has allowed this call, or one like it always.
	approved bool
}

// Call calls the tool with a JSON object of arguments. A failure that the model can do
// something about is a Result with IsError: a wrong argument, a file that does not exist, a
// command that exits with another code than 0, a denial. All other failures are errors: the
// cause of ctx, an error of Options.Ask, or one of the sandbox, such as sandbox.ErrLost and
// sandbox.ErrClosed.
func (t Tool) Call(ctx context.Context, args json.RawMessage) (*Result, error) {
	if t.set == nil {
		return nil, errors.New("tools: this Tool is of no Set: take it from Set.Tools")
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	v, problems := decode(t.Name, t.params, args)
	if len(problems) > 0 {
		return failed("%s was not called: %s", t.Name, strings.Join(problems, "\n")), nil
	}
	c := &call{Set: t.set, tool: &t, args: v}
	r, err := t.run(c, ctx)
	if ended, ok := errors.AsType[*stopped](err); ok {
		r, err = ended.result, nil
	}
	if err != nil {
		return nil, err
	}
	r.Text = t.set.bound(r.Text)
	return r, nil
}

// stopped is an error that ends a call with a result for the model.
type stopped struct{ result *Result }

func (s *stopped) Error() string { return s.result.Text }

// stop returns an error that becomes a Result with IsError.
func stop(format string, args ...any) error { return &stopped{failed(format, args...)} }

func failed(format string, args ...any) *Result {
	return &Result{Text: clean(fmt.Sprintf(format, args...)), IsError: true}
}

// structured returns v as JSON, in which characters such as < are not escaped. It is for
// values that cannot fail to encode: structs of strings, numbers and slices.
func structured(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}
