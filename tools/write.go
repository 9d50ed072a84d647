package tools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/drydock-go/drydock/sandbox"
)

// maxContent is how many bytes of a file a tool writes: what sandbox.Edit can read again.
const maxContent = sandbox.MaxRead

func writeTool() Tool {
	return Tool{
		Name: "write_file", op: OpWrite, Destructive: true, run: (*call).write,
		Description: "Write a whole file, and make its directories where they are missing. A file that exists is replaced, and has to be read before; to change a part of it, edit it instead.",
		params: []param{
			{name: "path", kind: "string", about: "The file, absolute or relative to the work dir.", want: "the file's path", required: true, min: 1},
			{name: "content", kind: "string", about: "All that the file is to hold; nothing is added to it.", want: "the file's text", required: true, max: maxContent, nul: true},
		},
	}
}

func fileHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// target resolves and permits the path that a call changes, and locks it. Where it cannot,
// unlock is nil.
func (c *call) target(ctx context.Context, name string) (real string, unlock func(), err error) {
	if strings.HasSuffix(name, "/") {
		return "", nil, stop("%s names a directory: give the path of a file, without a slash at its end", show(name))
	}
	if real, err = c.resolve(ctx, name); err != nil {
		return "", nil, err
	}
	if err := c.permit(ctx, real); err != nil {
		return "", nil, err
	}
	unlock, err = c.lock(ctx, real)
	return real, unlock, err
}

// hash returns the SHA-256 of a file's contents.
func (c *call) hash(ctx context.Context, real string) (string, error) {
	lines, err := c.sb.ReadLines(ctx, real, &sandbox.LineOptions{Count: 1, MaxBytes: 1})
	if err != nil {
		return "", err
	}
	return lines.Hash, nil
}

const (
	unread = "%s has not been read yet: read it with read_file first, then %s"
	stale  = "%s has changed since you read it: read it again with read_file, then %s"
)

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
		return nil, stop(unread, show(name)+" exists and", "write it, so that nothing is lost that you do not know of")
	case now != "" && known != now:
		return nil, stop(stale, show(name), "write it")
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
	did := "replaced"
	if w.Created {
		did = "created"
	}
	text := fmt.Sprintf("%s %s: %s, %s", did, show(name), plural(lines, "line", "lines"), plural(len(content), "byte", "bytes"))
	return &Result{Text: text + inPlace(w.InPlace), JSON: structured(struct {
		Path    string `json:"path"`
		Created bool   `json:"created"`
		Lines   int    `json:"lines"`
		Size    int    `json:"size"`
	}{clean(real), w.Created, lines, len(content)})}, nil
}

func inPlace(yes bool) string {
	if !yes {
		return ""
	}
	return " (written in place, so that others could have seen it half written)"
}
