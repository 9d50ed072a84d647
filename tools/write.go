package tools

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/drydock-go/drydock/sandbox"
)

const writeDescription = "Write a whole file, and make the directories that are missing. A file that exists is " +
	"replaced, and has to be read before; to change a part of it, edit it instead."

func writeTool() Tool {
	return Tool{
		Name: "write_file", op: OpWrite, Destructive: true, run: (*call).write, Description: writeDescription,
		params: []param{
			filePath,
			{name: "content", kind: "string", required: true, max: maxContent, nul: true,
				about: "All that the file is to hold; nothing is added to it.", want: "the file's text"},
		},
	}
}

func (c *call) write(ctx context.Context) (*Result, error) {
	name, content := c.args.str("path"), c.args.str("content")
	real, unlock, err := c.target(ctx, name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	known := c.known(real)
	now, err := c.hash(ctx, real)
	if e, ok := errors.AsType[*sandbox.Error](err); ok && e.Code == sandbox.CodeNotExist {
		now, err = "", nil
	}
	switch {
	case err != nil:
		return nil, c.failure(ctx, name, err)
	case now != "" && known == "":
		return nil, unread(show(name)+" exists and", "write it, so that nothing is lost that you do not know of")
	case now != "" && known != now:
		return nil, stale(show(name), "write it")
	}
	w, err := c.sb.WriteFile(ctx, real, []byte(content), nil)
	if err != nil {
		return nil, c.failure(ctx, name, err)
	}
	c.remember(real, fileHash([]byte(content)))
	lines := strings.Count(content, "\n")
	if content != "" && !strings.HasSuffix(content, "\n") {
		lines++
	}
	verb := "replaced"
	if w.Created {
		verb = "created"
	}
	text := fmt.Sprintf("%s %s: %s, %s", verb, show(name), plural(lines, "line", "lines"), plural(len(content), "byte", "bytes"))
	return &Result{Text: text + inPlace(w.InPlace), JSON: structured(struct {
		Path    string `json:"path"`
		Created bool   `json:"created"`
		Lines   int    `json:"lines"`
		Size    int    `json:"size"`
	}{clean(real), w.Created, lines, len(content)})}, nil
}
