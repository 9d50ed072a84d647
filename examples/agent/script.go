package main

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"image/png"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// onlyJob is the prompt that the scripted model knows.
const onlyJob = "Draw the petals of the iris data set."

// plot is the program that the model writes first, with a mistake.
//
//go:embed plot.py
var plot string

const (
	mistake = `flowers["petal length"], flowers["petal width"]`
	mended  = `flowers["petal length (cm)"], flowers["petal width (cm)"]`
	columns = `python3 -c 'from sklearn.datasets import load_iris; print(*load_iris(as_frame=True).frame.columns, sep="\n")'`
)

// reply is a message of the scripted model: its text and the calls that it makes.
type reply struct {
	text  string
	calls []wireCall
}

type wireCall struct {
	name string
	args map[string]any
}

// steps are the script. Each step gets the results of the calls of the step before it, and
// returns an error if they are not the expected ones.
var steps = []func(results []wireBlock) (reply, error){
	func([]wireBlock) (reply, error) {
		return reply{"I write a program that draws them, and run it.", []wireCall{
			{"write_file", map[string]any{"path": "plot.py", "content": plot}},
		}}, nil
	},
	func(r []wireBlock) (reply, error) {
		return reply{"", []wireCall{
			{"execute", map[string]any{"command": "python3 plot.py"}},
		}}, expect(r[0], false, "plot.py")
	},
	func(r []wireBlock) (reply, error) {
		if err := expect(r[0], true, "KeyError: 'petal length'", "exit code 1"); err != nil {
			return reply{}, err
		}
		match := regexp.MustCompile(`plot\.py", line (\d+)`).FindStringSubmatch(r[0].Content.text())
		if match == nil {
			return reply{}, fmt.Errorf("no line of plot.py in the traceback: %q", r[0].Content.text())
		}
		line, _ := strconv.Atoi(match[1])
		return reply{"There is no such column. I look at the line, and at the names of the columns.", []wireCall{
			{"read_file", map[string]any{"path": "plot.py", "offset": max(line-1, 1), "limit": 3}},
			{"execute", map[string]any{"command": columns}},
		}}, nil
	},
	func(r []wireBlock) (reply, error) {
		if err := expect(r[0], false, mistake); err != nil {
			return reply{}, err
		}
		return reply{"The names end in the unit.", []wireCall{
			{"edit_file", map[string]any{"path": "plot.py", "old_string": mistake, "new_string": mended}},
		}}, expect(r[1], false, "petal length (cm)\n", "petal width (cm)\n")
	},
	func(r []wireBlock) (reply, error) {
		return reply{"", []wireCall{
			{"execute", map[string]any{"command": "python3 plot.py"}},
		}}, expect(r[0], false, "plot.py")
	},
	func(r []wireBlock) (reply, error) {
		return reply{"It ran. I look at the figure.", []wireCall{
			{"read_file", map[string]any{"path": "iris.png"}},
		}}, expect(r[0], false, "150 flowers of 3 species")
	},
	func(r []wireBlock) (reply, error) {
		if err := expect(r[0], false, "image/png"); err != nil {
			return reply{}, err
		}
		width, height, err := figure(r[0])
		return reply{text: fmt.Sprintf("The figure is in iris.png, %d x %d pixels: the width of the petals of 150 flowers over their length, in a colour for each of the three species. plot.py draws it.", width, height)}, err
	},
}

// play returns the next message of a checked conversation.
func play(r *wireRequest) (reply, error) {
	prompt, results, step := position(r.Messages)
	if !strings.Contains(strings.ToLower(prompt), "iris") {
		return reply{text: fmt.Sprintf("I am a script and know one job. Say: %s\nSet ANTHROPIC_API_KEY for a model that knows more.", onlyJob)}, nil
	}
	for _, name := range []string{"write_file", "edit_file", "read_file", "execute"} {
		if !slices.ContainsFunc(r.Tools, func(t wireTool) bool { return t.Name == name }) {
			return reply{text: fmt.Sprintf("For this I need the tool %s, which I was not given.", name)}, nil
		}
	}
	for _, result := range results {
		if text := result.Content.text(); result.IsError && strings.HasPrefix(text, "permission denied:") {
			return reply{text: "I was not allowed to, so I stop here. The answer was:\n" + text}, nil
		}
	}
	if step >= len(steps) {
		return reply{}, fmt.Errorf("step %d of a script of %d steps", step+1, len(steps))
	}
	next, err := steps[step](results)
	if err != nil {
		return reply{}, fmt.Errorf("step %d of the script: %w", step+1, err)
	}
	return next, nil
}

// position finds the last prompt, the number of the model's messages since, and the results of
// the calls of the last message.
func position(messages []wireMessage) (prompt string, results []wireBlock, step int) {
	for _, m := range messages {
		if m.Role == "assistant" {
			step++
			continue
		}
		results = nil
		for _, b := range m.Content {
			switch b.Type {
			case "tool_result":
				results = append(results, b)
			case "text":
				prompt, results, step = b.Text, nil, 0
			}
		}
	}
	return prompt, results, step
}

// expect returns an error unless a result is a failure or not, as given, and holds all words.
func expect(r wireBlock, failed bool, words ...string) error {
	text := r.Content.text()
	if r.IsError != failed {
		return fmt.Errorf("is_error of %s is %v: %q", r.ToolUseID, r.IsError, text)
	}
	for _, w := range words {
		// The last line has no line feed.
		if !strings.Contains(text+"\n", w) {
			return fmt.Errorf("the result of %s does not say %q: %q", r.ToolUseID, w, text)
		}
	}
	return nil
}

// figure returns the size in pixels of the one image in a result, which has to be a PNG.
func figure(r wireBlock) (width, height int, err error) {
	var images []wireBlock
	for _, b := range r.Content {
		if b.Type == "image" {
			images = append(images, b)
		}
	}
	if len(images) != 1 || images[0].Source.MediaType != "image/png" {
		return 0, 0, fmt.Errorf("the result of %s has %d images, and not one PNG", r.ToolUseID, len(images))
	}
	data, err := base64.StdEncoding.DecodeString(images[0].Source.Data)
	if err != nil {
		return 0, 0, fmt.Errorf("the image: %w", err)
	}
	decoded, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return 0, 0, fmt.Errorf("the image: %w", err)
	}
	return decoded.Bounds().Dx(), decoded.Bounds().Dy(), nil
}
