package interpreter

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// MaxMessage bounds a message in bytes. It has room for 20 MiB of forms in base64.
const MaxMessage = 32 << 20

// Message is a message of an interpreter: one JSON object on a line.
type Message struct {
	// Ready is the interpreter's version: it can run code now.
	Ready string
	// Begun is the number of a run whose code begins, and can be interrupted from now on.
	Begun uint32
	// Display is the forms of a value that code shows, by MIME type. Value says that it is that
	// of the last expression.
	Display Forms
	Value   bool
	// Done is the number of a run that has ended, with its exit code, the seconds of cpu that it
	// took, and the exception that it raised. Asked says that the report was asked for.
	Done         uint32
	Asked        bool
	Exit         int
	User, System float64
	Exception    *Exception
}

// Exception is an exception that code raised.
type Exception struct {
	Name, Value, Text string
	Traceback         Frames
}

// Frame is a line of a traceback, the innermost last.
type Frame struct {
	File     string
	Line     int
	Function string
	Text     string
}

// Bounds of a message.
const (
	maxForms  = 16
	maxFrames = 200
	maxText   = 2 << 20 // bytes of an exception's value and text
	maxLine   = 4 << 10 // bytes of a name, and of each text of a frame
)

// Messages decodes messages from r and calls f with each, until r ends. It returns an error for a
// message that none of the interpreters sends.
func Messages(r io.Reader, f func(*Message)) error {
	in := bufio.NewReaderSize(r, 32<<10)
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > MaxMessage {
			return fmt.Errorf("a message of more than %d bytes", MaxMessage)
		}
		line = append(line, part...)
		switch err {
		case nil:
		case bufio.ErrBufferFull:
			continue
		case io.EOF:
			return nil
		default:
			return err
		}
		m := &Message{}
		if err := json.Unmarshal(line, m); err != nil {
			return fmt.Errorf("message: %w", err)
		}
		m.sanitise()
		f(m)
		if line = line[:0]; cap(line) > 1<<20 {
			line = nil
		}
	}
}

// Forms are forms of a value by MIME type. It decodes at most maxForms of them: many small ones
// would take much more memory than their JSON.
type Forms map[string][]byte

// UnmarshalJSON implements json.Unmarshaler.
func (f *Forms) UnmarshalJSON(b []byte) error {
	*f = make(Forms)
	d := json.NewDecoder(bytes.NewReader(b))
	if open, err := d.Token(); open != json.Delim('{') {
		return err
	}
	for n := 0; n < maxForms && d.More(); n++ {
		kind, err := d.Token()
		if err != nil {
			return err
		}
		var data []byte
		if err := d.Decode(&data); err != nil {
			return err
		}
		(*f)[kind.(string)] = data // between braces every other token is a key
	}
	return nil
}

// Frames are frames of a traceback. It decodes at most maxFrames of them, for the same reason.
type Frames []Frame

// UnmarshalJSON implements json.Unmarshaler.
func (f *Frames) UnmarshalJSON(b []byte) error {
	*f = nil
	d := json.NewDecoder(bytes.NewReader(b))
	if open, err := d.Token(); open != json.Delim('[') {
		return err
	}
	for len(*f) < maxFrames && d.More() {
		var one Frame
		if err := d.Decode(&one); err != nil {
			return err
		}
		one.File, one.Function, one.Text = cut(one.File, maxLine), cut(one.Function, maxLine), cut(one.Text, maxLine)
		*f = append(*f, one)
	}
	return nil
}

var mimeType = regexp.MustCompile(`^[a-z]{1,20}/[a-z0-9][a-z0-9.+-]{0,80}$`)

// signatures are the first bytes of the files of some types.
var signatures = map[string][]byte{
	"image/png":  []byte("\x89PNG\r\n\x1a\n"),
	"image/jpeg": []byte("\xff\xd8\xff"),
}

// sanitise drops forms that are not of the type that they claim, and cuts texts that are too
// long.
func (m *Message) sanitise() {
	for kind, data := range m.Display {
		if !mimeType.MatchString(kind) || !bytes.HasPrefix(data, signatures[kind]) ||
			kind == "application/json" && !json.Valid(data) {
			delete(m.Display, kind)
		}
	}
	m.Exit &= 0xff
	if e := m.Exception; e != nil {
		e.Name, e.Value, e.Text = cut(e.Name, maxLine), cut(e.Value, maxText), cut(e.Text, maxText)
	}
}

// cut returns the first n bytes of text, and holds on to no more.
func cut(text string, n int) string {
	if len(text) > n {
		return strings.Clone(text[:n])
	}
	return text
}
