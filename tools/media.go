package tools

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // the decoders of dimensions: a program may import none
	_ "image/jpeg"
	_ "image/png"
	"net/http"
	"path"
	"strings"

	"github.com/drydock-go/drydock/sandbox"
)

const (
	// sniffed is how many bytes of a file are read to find out its type. A NUL byte among
	// them makes it binary.
	sniffed = 8000
	// maxImage and maxDocument bound the bytes of an image and of a document. Models take
	// 5 MiB of an image in base64, which turns three bytes into four.
	maxImage    = 5 << 20 / 4 * 3
	maxDocument = 8 << 20
)

// sniff returns the media type of a file by its first bytes, or "" if it is text.
func sniff(head []byte) string {
	starts := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case starts("\x89PNG\r\n\x1a\n"):
		return "image/png"
	case starts("\xff\xd8\xff"):
		return "image/jpeg"
	case starts("GIF87a"), starts("GIF89a"):
		return "image/gif"
	case starts("RIFF") && len(head) >= 16 && string(head[8:15]) == "WEBPVP8":
		return "image/webp"
	case starts("%PDF-"):
		return "application/pdf"
	case bytes.IndexByte(head, 0) < 0:
		return ""
	case starts("\xff\xfe"), starts("\xfe\xff"):
		return "text in UTF-16"
	case starts("\x7fELF"):
		return "application/x-elf"
	case starts("SQLite format 3\x00"):
		return "application/vnd.sqlite3"
	}
	return http.DetectContentType(head)
}

// dimensions returns the width and height of an image in pixels. It decodes the beginning,
// because a model's service refuses the whole conversation for one image that is damaged.
func dimensions(kind string, data []byte) (width, height int, err error) {
	if kind == "image/webp" {
		return webpDimensions(data)
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err == nil && (config.Width == 0 || config.Height == 0) {
		err = errors.New("it has no pixels")
	}
	return config.Width, config.Height, err
}

// webpDimensions reads the first chunk of a WebP container: RFC 9649, section 2.
func webpDimensions(data []byte) (width, height int, err error) {
	if len(data) < 30 || int64(binary.LittleEndian.Uint32(data[4:]))+8 > int64(len(data)) {
		return 0, 0, errors.New("unexpected end")
	}
	chunk := data[20:]
	switch string(data[12:16]) {
	case "VP8X":
		uint24 := func(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
		return uint24(chunk[4:]) + 1, uint24(chunk[7:]) + 1, nil
	case "VP8 ":
		if string(chunk[3:6]) == "\x9d\x01\x2a" {
			return int(binary.LittleEndian.Uint16(chunk[6:]) & 0x3fff), int(binary.LittleEndian.Uint16(chunk[8:]) & 0x3fff), nil
		}
	case "VP8L":
		if chunk[0] == 0x2f {
			bits := binary.LittleEndian.Uint32(chunk[1:])
			return int(bits&0x3fff) + 1, int(bits>>14&0x3fff) + 1, nil
		}
	}
	return 0, 0, errors.New("unknown kind of WebP")
}

// readMedia returns a file that is not text.
func (c *call) readMedia(ctx context.Context, name, real, kind string) (*Result, error) {
	info, err := c.sb.Stat(ctx, real)
	if err != nil {
		return nil, c.failure(ctx, name, err)
	}
	image := strings.HasPrefix(kind, "image/")
	limit := int64(maxDocument)
	switch {
	case image:
		limit = maxImage
	case kind != "application/pdf":
		return nil, stop("%s is a binary file (%s, %d bytes), which cannot be shown as text%s", show(name), kind, info.Size(),
			c.hint("execute", ": look into it by execute, with a program such as od -c, unzip -l or python"))
	}
	tooLarge := func() error {
		return stop("%s is %s of %d bytes, and at most %d can be read%s", show(name), kind, info.Size(), limit,
			c.hint("execute", ": make it smaller with a program, by execute"))
	}
	if info.Size() > limit {
		return nil, tooLarge()
	}
	data, err := c.sb.ReadFile(ctx, real, &sandbox.ReadOptions{Limit: limit + 1})
	if err != nil {
		return nil, c.failure(ctx, name, err)
	}
	if int64(len(data)) > limit {
		return nil, tooLarge()
	}
	r := &Result{Text: fmt.Sprintf("%s: %s, %d bytes", show(name), kind, len(data))}
	width, height := 0, 0
	if image {
		if width, height, err = dimensions(kind, data); err != nil {
			return nil, stop("%s begins like %s, but is damaged (%v) and cannot be shown", show(name), kind, err)
		}
		r.Text += fmt.Sprintf(", %d x %d pixels", width, height)
		r.Images = []Image{{MediaType: kind, Data: data}}
	} else {
		r.Documents = []Document{{MediaType: kind, Name: clean(path.Base(real)), Data: data}}
	}
	c.remember(real, fileHash(data))
	r.JSON = structured(struct {
		Path   string `json:"path"`
		Type   string `json:"media_type"`
		Size   int    `json:"size"`
		Width  int    `json:"width,omitempty"`
		Height int    `json:"height,omitempty"`
	}{clean(real), kind, len(data), width, height})
	return r, nil
}
