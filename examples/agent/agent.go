package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/packages/param"
	"github.com/drydock-go/drydock/tools"
)

const (
	// maxTokens of one message: the SDK wants more to be streamed.
	maxTokens = 16_000
	// maxImage is what the API takes of one image, in bytes of base64, and maxSide in pixels.
	// It would refuse the conversation from then on.
	maxImage = 5 << 20
	maxSide  = 8000
)

// toolset is what the loop needs of a tools.Set.
type toolset interface {
	Tools() []tools.Tool
	Call(ctx context.Context, name string, args json.RawMessage) (*tools.Result, error)
}

// agent has a conversation with a model and makes the calls that it asks for.
type agent struct {
	messages anthropic.MessageService
	model    anthropic.Model
	system   string
	tools    toolset
	figures  *figures
	out      io.Writer // the user's terminal
	maxTurns int       // messages of the model for one prompt

	history []anthropic.MessageParam
	used    usedTokens
}

// stopped says why the model stopped before it was done. The conversation can go on.
type stopped struct{ why string }

func (s *stopped) Error() string { return s.why }

// run gives the model a prompt and answers its tool calls until it is done. The error is a
// *stopped or an *anthropic.Error, after which another prompt can follow; or the cause of
// ctx, or that of a sandbox which is broken, and then there is nothing to go on with.
func (a *agent) run(ctx context.Context, prompt string) error {
	a.say(anthropic.NewTextBlock(prompt))
	for range a.maxTurns {
		message, err := a.next(ctx)
		if err != nil {
			return err
		}
		calls := a.show(message)
		switch {
		case len(calls) == 0 && message.StopReason == anthropic.StopReasonPauseTurn:
			// It goes on when it is given its own words.
		case len(calls) == 0:
			return end(message.StopReason)
		case message.StopReason == anthropic.StopReasonToolUse:
			if err := a.answer(ctx, calls); err != nil {
				return err
			}
		default:
			// The last call may be half of one, and a call without a result is refused.
			a.refuse(calls, message.StopReason)
			if message.StopReason != anthropic.StopReasonMaxTokens {
				return end(message.StopReason)
			}
		}
	}
	return &stopped{fmt.Sprintf("stopped after %d messages of the model; say what to do next", a.maxTurns)}
}

// say adds to what the user says. The roles have to alternate, so after an answer that was
// cut short it goes into the user's last message.
func (a *agent) say(blocks ...anthropic.ContentBlockParamUnion) {
	if n := len(a.history); n > 0 && a.history[n-1].Role == anthropic.MessageParamRoleUser {
		a.history[n-1].Content = append(a.history[n-1].Content, blocks...)
		return
	}
	a.history = append(a.history, anthropic.NewUserMessage(blocks...))
}

// next asks for the model's next message and keeps it.
func (a *agent) next(ctx context.Context) (*anthropic.Message, error) {
	params := anthropic.MessageNewParams{
		Model: a.model, MaxTokens: maxTokens, Messages: a.history,
		// The conversation so far is not paid in full again with each turn.
		CacheControl: anthropic.NewCacheControlEphemeralParam(),
	}
	if a.system != "" {
		params.System = []anthropic.TextBlockParam{{Text: a.system}}
	}
	for _, t := range a.tools.Tools() {
		params.Tools = append(params.Tools, anthropic.ToolUnionParam{OfTool: &anthropic.ToolParam{
			Name:        t.Name,
			Description: anthropic.String(t.Description),
			InputSchema: param.Override[anthropic.ToolInputSchemaParam](t.Schema),
		}})
	}
	message, err := a.messages.New(ctx, params)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, err
	}
	a.used.add(message.Usage)
	if len(message.Content) > 0 { // the API refuses empty messages
		a.history = append(a.history, message.ToParam())
	}
	return message, nil
}

// show prints what the model says and returns the calls that it makes.
func (a *agent) show(message *anthropic.Message) (calls []anthropic.ToolUseBlock) {
	for _, block := range message.Content {
		switch b := block.AsAny().(type) {
		case anthropic.TextBlock:
			if text := strings.TrimSpace(b.Text); text != "" {
				fmt.Fprintf(a.out, "\n%s\n", visible(text))
			}
		case anthropic.ToolUseBlock:
			calls = append(calls, b)
		}
	}
	return calls
}

// answer makes the calls and adds their results, in one message. They are made one after
// the other: a model that writes a file and runs it in one message means it in this order.
func (a *agent) answer(ctx context.Context, calls []anthropic.ToolUseBlock) error {
	var results []anthropic.ContentBlockParamUnion
	for _, call := range calls {
		fmt.Fprintf(a.out, "\n→ %s %s\n", visible(call.Name), shorten(visible(string(call.Input)), 100))
		result, err := a.tools.Call(ctx, call.Name, call.Input)
		if err != nil {
			return err // the sandbox or ctx: nothing that the model could mend
		}
		fmt.Fprint(a.out, excerpt(result.Text))
		for _, image := range result.Images {
			file, err := a.figures.save(call, image)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "  figure saved: %s\n", file)
		}
		results = append(results, anthropic.ContentBlockParamUnion{OfToolResult: toolResult(call.ID, result)})
	}
	a.say(results...)
	return nil
}

// refuse answers calls that are not made because their message did not end well.
func (a *agent) refuse(calls []anthropic.ToolUseBlock, reason anthropic.StopReason) {
	for _, call := range calls {
		text := fmt.Sprintf("not called, because the message ended with %s", reason)
		if reason == anthropic.StopReasonMaxTokens {
			text += fmt.Sprintf(" after %d tokens: make smaller calls, such as a file in several parts", maxTokens)
		}
		fmt.Fprintf(a.out, "\n→ %s: %s\n", visible(call.Name), text)
		a.say(anthropic.NewToolResultBlock(call.ID, text, true))
	}
}

// toolResult is a tool's result for the model. The API takes no empty text, and of errors
// nothing but text.
func toolResult(id string, r *tools.Result) *anthropic.ToolResultBlockParam {
	text := r.Text
	var media []anthropic.ToolResultBlockParamContentUnion
	for _, image := range r.Images {
		data := base64.StdEncoding.EncodeToString(image.Data)
		switch width, height := size(r.JSON); {
		case r.IsError:
		case len(data) > maxImage || width > maxSide || height > maxSide:
			text += fmt.Sprintf("\nThe image is too large to be shown, which at most %d bytes and %d pixels a side can be: make a smaller one of it.", maxImage/4*3, maxSide)
		default:
			block := anthropic.NewImageBlockBase64(image.MediaType, data)
			media = append(media, anthropic.ToolResultBlockParamContentUnion{OfImage: block.OfImage})
		}
	}
	for _, document := range r.Documents {
		if r.IsError {
			break
		}
		block := anthropic.NewDocumentBlock(anthropic.Base64PDFSourceParam{Data: base64.StdEncoding.EncodeToString(document.Data)})
		block.OfDocument.Title = anthropic.String(document.Name)
		media = append(media, anthropic.ToolResultBlockParamContentUnion{OfDocument: block.OfDocument})
	}
	if strings.TrimSpace(text) == "" {
		text = "(nothing)"
	}
	words := anthropic.ToolResultBlockParamContentUnion{OfText: &anthropic.TextBlockParam{Text: text}}
	return &anthropic.ToolResultBlockParam{
		ToolUseID: id,
		IsError:   anthropic.Bool(r.IsError),
		Content:   append([]anthropic.ToolResultBlockParamContentUnion{words}, media...),
	}
}

// size is what a Result says about its image, or 0.
func size(about json.RawMessage) (width, height int) {
	var v struct{ Width, Height int }
	_ = json.Unmarshal(about, &v)
	return v.Width, v.Height
}

// end is what run returns after a message without calls.
func end(reason anthropic.StopReason) error {
	switch reason {
	case anthropic.StopReasonEndTurn, anthropic.StopReasonStopSequence:
		return nil
	case anthropic.StopReasonMaxTokens:
		return &stopped{fmt.Sprintf("the answer was cut after %d tokens", maxTokens)}
	case anthropic.StopReasonRefusal:
		return &stopped{"the model refused to answer"}
	case anthropic.StopReasonModelContextWindowExceeded:
		return &stopped{"the conversation is too long for the model; begin a new one"}
	}
	return &stopped{fmt.Sprintf("the model stopped: %s", reason)}
}

// usedTokens counts what a conversation cost.
type usedTokens struct{ messages, in, cached, out int64 }

func (u *usedTokens) add(v anthropic.Usage) {
	u.messages++
	u.in += v.InputTokens + v.CacheCreationInputTokens + v.CacheReadInputTokens
	u.cached += v.CacheReadInputTokens
	u.out += v.OutputTokens
}

func (u usedTokens) String() string {
	return fmt.Sprintf("%d messages of the model, %d tokens in (%d of them cached), %d out", u.messages, u.in, u.cached, u.out)
}
