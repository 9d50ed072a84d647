package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/tools"
)

// call is one tool call of a model.
type call struct {
	tool string
	args map[string]any
}

// script returns the calls of the model that -tools plays: always the same ones.
func script(timeout time.Duration) []call {
	return []call{
		{"write_file", map[string]any{"path": "analyse.py", "content": string(program)}},
		{"ls", map[string]any{}},
		{"execute", map[string]any{"command": "python3 analyse.py", "timeout_seconds": int(timeout.Seconds())}},
		{"read_file", map[string]any{"path": "iris.png"}},
	}
}

// throughTools runs the program through tool calls, as an agent would, and returns the figure.
func throughTools(ctx context.Context, sb *sandbox.Sandbox, timeout time.Duration) ([]byte, error) {
	set, err := tools.New(sb, &tools.Options{Permissions: tools.Permissive(), MaxTimeout: timeout, Timeout: timeout})
	if err != nil {
		return nil, err
	}
	var figure []byte
	for _, c := range script(timeout) {
		args, err := json.Marshal(c.args)
		if err != nil {
			return nil, err
		}
		fmt.Printf("→ %s %s\n", c.tool, shorten(string(args), 100))
		result, err := set.Call(ctx, c.tool, args)
		if err != nil {
			return nil, err // the sandbox failed or ctx ended, which a model cannot mend
		}
		fmt.Printf("%s\n\n", result.Text)
		if result.IsError {
			return nil, fmt.Errorf("the tool %s failed, see its result above", c.tool)
		}
		for _, image := range result.Images {
			figure = image.Data
		}
	}
	if figure == nil {
		return nil, errors.New("no tool returned the image iris.png")
	}
	return figure, nil
}
