package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/drydock-go/drydock/tools"
)

// approver asks the user about the calls that permissions leave to them.
type approver struct {
	in  *lines
	out io.Writer
	yes bool // allow everything without a question

	mu sync.Mutex // one question at a time
}

// ask is tools.Options.Ask. It shows the whole call, because the user approves only what is shown.
func (a *approver) ask(ctx context.Context, r tools.Request) (tools.Decision, error) {
	if a.yes {
		return tools.Decision{Allow: true}, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.in.forget() // lines that were typed before the question are no answer to it
	fmt.Fprintf(a.out, "\nThe model asks for %s", r.Tool)
	if r.Path != "" {
		fmt.Fprintf(a.out, " of\n%s", block(r.Path))
	} else {
		fmt.Fprint(a.out, ":\n")
	}
	if r.Reason != "" {
		fmt.Fprintf(a.out, "because\n%s", block(r.Reason))
	}
	if err := showArgs(a.out, r.Args); err != nil {
		return tools.Decision{}, err
	}
	for {
		fmt.Fprintf(a.out, "%s: y = once, a = always, n [REASON] = no? ", r.Tool)
		line, err := a.in.next(ctx)
		if errors.Is(err, io.EOF) {
			fmt.Fprintln(a.out, "no (end of input)")
			return tools.Decision{Reason: "nobody is there to answer"}, nil
		}
		if err != nil {
			fmt.Fprintln(a.out)
			return tools.Decision{}, err
		}
		if !a.in.terminal {
			fmt.Fprintln(a.out, visible(line))
		}
		answer, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
		reason = strings.TrimSpace(reason)
		switch strings.ToLower(answer) {
		case "n", "no":
			return tools.Decision{Reason: reason}, nil
		case "y", "yes":
			if reason == "" {
				return tools.Decision{Allow: true}, nil
			}
		case "a", "always":
			if reason == "" {
				return tools.Decision{Allow: true, Always: true}, nil
			}
		}
	}
}

// showArgs shows the arguments in their order, texts as they are and the rest as JSON.
func showArgs(w io.Writer, args json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(args))
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("read the arguments of the call: %w", err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return fmt.Errorf("read the arguments of the call: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("read the arguments of the call: %w", err)
		}
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		fmt.Fprintf(w, "%s\n%s", visible(fmt.Sprint(name)), block(text))
	}
	return nil
}
