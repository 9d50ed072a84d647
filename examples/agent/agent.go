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
	// maxTokens is the maximum length of one message. The SDK requires longer ones to be streamed.
	maxTokens = 16_000
	// maxImage and maxSide are the API's maxima for one image, in bytes of base64 and in
	// pixels. It would refuse the whole conversation from a larger image on.
	maxImage = 5 << 20
	maxSide  = 8000
)

// toolset is the part of a tools.Set that the agent needs.
type toolset interface {
	Tools() []tools.Tool
	Call(ctx context.Context, name string, args json.RawMessage) (*tools.Result, error)
}

// agent holds a conversation with a model and makes its tool calls.
type agent struct {
	messages anthropic.MessageService
	model    anthropic.Model
	system   string
	tools    toolset
	figures  *figures
	out      io.Writer // the user's terminal
	maxTurns int       // the maximum of messages of the model for one prompt

	history []anthropic.MessageParam
	used    usedTokens
}

// stopped is the reason why the model stopped early. The conversation can go on.
type stopped struct{ reason string }

func (s *stopped) Error() string { return s.reason }

// run gives the model a prompt and answers its tool calls until it is done. After a *stopped or
// an *anthropic.Error another prompt can follow. Any other error is the cause of ctx or that of a
// broken sandbox, and ends the conversation.
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
			// The model goes on if it is sent its own message.
		case len(calls) == 0:
			return end(message.StopReason)
		case message.StopReason == anthropic.StopReasonToolUse:
			if err := a.answer(ctx, calls); err != nil {
				return err
			}
		default:
			// The last call may be incomplete, and the API refuses a call without a result.
			a.refuse(calls, message.StopReason)
			if message.StopReason != anthropic.StopReasonMaxTokens {
				return end(message.StopReason)
			}
		}
	}
	return &stopped{fmt.Sprintf("stopped after %d messages of the model; write how to go on, or raise -turns", a.maxTurns)}
}

// say adds blocks of the user. The roles have to alternate, so blocks that follow a failed request
// go into the user's last message.
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
		// The conversation so far is not billed in full again with each turn.
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

// show prints the text of a message and returns its tool calls.
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

// answer makes the calls and adds their results in one message. It makes them one after the other:
// a model that writes a file and runs it in one message means this order.
func (a *agent) answer(ctx context.Context, calls []anthropic.ToolUseBlock) error {
	var results []anthropic.ContentBlockParamUnion
	for _, call := range calls {
		fmt.Fprintf(a.out, "\n→ %s %s\n", visible(call.Name), shorten(visible(string(call.Input)), 100))
		result, err := a.tools.Call(ctx, call.Name, call.Input)
		if err != nil {
			return err // the sandbox failed or ctx ended, which the model cannot mend
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

// refuse answers calls that are not made because their message may be incomplete.
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

// toolResult returns a tool's result for the model. The API takes no empty text, and only text for
// an error.
func toolResult(id string, r *tools.Result) *anthropic.ToolResultBlockParam {
	text := r.Text
	var media []anthropic.ToolResultBlockParamContentUnion
	for _, image := range r.Images {
		data := base64.StdEncoding.EncodeToString(image.Data)
		switch width, height := size(r.JSON); {
		case r.IsError:
		case len(data) > maxImage || width > maxSide || height > maxSide:
			text += fmt.Sprintf("\nThe image is too large to be shown: the maximum is %d bytes and %d pixels a side. Make a smaller copy and read that.", maxImage/4*3, maxSide)
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
		text = "(no output)"
	}
	first := anthropic.ToolResultBlockParamContentUnion{OfText: &anthropic.TextBlockParam{Text: text}}
	return &anthropic.ToolResultBlockParam{
		ToolUseID: id,
		IsError:   anthropic.Bool(r.IsError),
		Content:   append([]anthropic.ToolResultBlockParamContentUnion{first}, media...),
	}
}

// size returns the width and height in the JSON of a result, or 0.
func size(data json.RawMessage) (width, height int) {
	var v struct{ Width, Height int }
	_ = json.Unmarshal(data, &v)
	return v.Width, v.Height
}

// end returns the error of run after a message without calls.
func end(reason anthropic.StopReason) error {
	switch reason {
	case anthropic.StopReasonEndTurn, anthropic.StopReasonStopSequence:
		return nil
	case anthropic.StopReasonMaxTokens:
		return &stopped{fmt.Sprintf("the answer was cut after %d tokens; ask for the rest", maxTokens)}
	case anthropic.StopReasonRefusal:
		return &stopped{"the model refused to answer"}
	case anthropic.StopReasonModelContextWindowExceeded:
		return &stopped{"the conversation is too long for the model; start the agent again"}
	}
	return &stopped{fmt.Sprintf("the model stopped: %s", reason)}
}

// usedTokens counts the tokens of a conversation.
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
