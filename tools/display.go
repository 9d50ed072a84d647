package tools

import (
	"fmt"
	"strings"

	"github.com/drydock-go/drydock/sandbox"
)

const (
	// maxFigures and maxFigureBytes bound the images of one call, each of which maxImage
	// bounds as well.
	maxFigures     = 8
	maxFigureBytes = 2 * maxImage
	// maxHTML bounds the bytes of HTML in the JSON of one call.
	maxHTML = 1 << 20
)

// displayEntry is a display in python's JSON: {"outcome": ..., "displays": [...]}.
type displayEntry struct {
	Value  bool   `json:"value,omitempty"` // of the last expression
	Text   string `json:"text,omitempty"`
	HTML   string `json:"html,omitempty"`  // hostile, like all output of a sandbox
	Image  string `json:"image,omitempty"` // its media type; Result.Images has the images in this order
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
}

// displays writes the displays of code to out, except for images, which it adds to the result.
// notes say what was left out.
func (c *call) displays(all []sandbox.Display, out *headTail, r *Result) (entries []displayEntry, notes []string) {
	entries = []displayEntry{}
	html, size, more := 0, 0, 0
	for _, d := range all {
		e := displayEntry{Value: d.Value}
		text, image := plainest(d)
		switch kind := sniff(image[:min(len(image), sniffed)]); {
		case image == nil:
			out.line(strings.TrimSuffix(text, "\n") + "\n")
			e.Text = cutText(clean(text), c.o.MaxOutput)
		case !strings.HasPrefix(kind, "image/"):
			out.line("[an image that is damaged]\n")
		case len(image) > maxImage:
			out.line(fmt.Sprintf("[an image of %d bytes, which is more than the %d that can be shown: make it smaller]\n", len(image), maxImage))
		case len(r.Images) == maxFigures || size+len(image) > maxFigureBytes:
			more++
		default:
			width, height, err := dimensions(kind, image)
			if err != nil {
				out.line(fmt.Sprintf("[an image that is damaged (%v)]\n", err))
				break
			}
			size += len(image)
			r.Images = append(r.Images, Image{MediaType: kind, Data: image})
			e.Image, e.Width, e.Height = kind, width, height
			out.line(fmt.Sprintf("[image %d: %s, %d bytes, %d x %d pixels]\n", len(r.Images), kind, len(image), width, height))
		}
		if text := clean(string(d.Data["text/html"])); html+len(text) <= maxHTML {
			html += len(text)
			e.HTML = text
		}
		if e != (displayEntry{Value: d.Value}) {
			entries = append(entries, e)
		}
	}
	if more > 0 {
		notes = append(notes, fmt.Sprintf("%s left out, because at most %d images and %d bytes of them are shown at once: "+
			"show them in another call, or write them to files%s",
			plural(more, "image was", "images were"), maxFigures, maxFigureBytes, c.hint("read_file", " and look at them with read_file")))
	}
	return entries, notes
}

// textForms are the media types of the texts that a display can have, the plainest first.
var textForms = []string{"text/plain", "text/markdown", "text/latex", "application/json", "text/html"}

// plainest returns a display as an image if it has one, else as text.
func plainest(d sandbox.Display) (text string, image []byte) {
	for _, kind := range []string{"image/png", "image/jpeg"} {
		if data, ok := d.Data[kind]; ok {
			return "", data
		}
	}
	for _, kind := range textForms {
		if data, ok := d.Data[kind]; ok {
			return string(data), nil
		}
	}
	if _, ok := d.Data["image/svg+xml"]; ok {
		return "[an SVG image, which cannot be shown: draw it as PNG]", nil
	}
	return "[something that cannot be shown]", nil
}
