package tools

import (
	"bytes"
	"fmt"
	"regexp"
	"sync"
	"unicode/utf8"
)

// headTail keeps the first and the last part of what is written to it, half of the limit
// each. It is safe for concurrent writes. Packages dockercli and sandbox have such writers
// for their own limits, which a package beside them cannot import.
type headTail struct {
	limit int // bytes

	mu      sync.Mutex
	head    []byte
	tail    []byte // up to twice as long as what is kept of it in the end
	dropped int64
}

func (h *headTail) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(b)
	if room := h.limit/2 - len(h.head); room > 0 {
		take := min(room, len(b))
		h.head, b = append(h.head, b[:take]...), b[take:]
	}
	keep := h.limit - h.limit/2
	if len(b) > keep {
		h.dropped += int64(len(h.tail) + len(b) - keep)
		h.tail = append(h.tail[:0], b[len(b)-keep:]...)
		return n, nil
	}
	if h.tail = append(h.tail, b...); len(h.tail) > 2*keep {
		h.dropped += int64(len(h.tail) - keep)
		h.tail = append(h.tail[:0], h.tail[len(h.tail)-keep:]...)
	}
	return n, nil
}

// String returns the bytes that are kept, with a note in place of those that are not. It cuts
// the tail to its half, and cuts no character in two, so dropped is right only afterwards.
func (h *headTail) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if excess := len(h.tail) - (h.limit - h.limit/2); excess > 0 {
		h.dropped += int64(excess)
		h.tail = h.tail[excess:]
	}
	if h.dropped == 0 {
		return string(h.head) + string(h.tail)
	}
	head, tail := h.head, h.tail
	head = head[:len(head)-cutRune(head)]
	for i := 0; i < utf8.UTFMax-1 && len(tail) > 0 && !utf8.RuneStart(tail[0]); i++ {
		tail = tail[1:]
	}
	h.dropped += int64(len(h.head) - len(head) + len(h.tail) - len(tail))
	h.head, h.tail = head, tail
	return fmt.Sprintf("%s\n[... %d bytes dropped ...]\n%s", head, h.dropped, tail)
}

// text returns what is kept as text for a model, and how many bytes are not in it.
func (h *headTail) text() (text string, dropped int64) {
	text = plain(h.String())
	if len(text) <= h.limit+100 {
		return text, h.dropped
	}
	// Bytes that are no UTF-8 became U+FFFD, which takes three bytes.
	again := &headTail{limit: h.limit, dropped: h.dropped}
	_, _ = again.Write([]byte(text))
	text = again.String()
	return text, again.dropped
}

// line writes text on a line of its own. Nothing may be written meanwhile.
func (h *headTail) line(text string) {
	if end := *h.end(); len(end) > 0 && end[len(end)-1] != '\n' {
		_, _ = h.Write([]byte{'\n'})
	}
	_, _ = h.Write([]byte(text))
}

// lineWriter writes to a headTail by whole lines, so that the lines of two streams are not
// mixed.
type lineWriter struct {
	to   *headTail
	part []byte // of a line whose end is yet to come
}

func (l *lineWriter) Write(b []byte) (int, error) {
	const maxPart = 8 << 10 // bytes that are held back
	l.part = append(l.part, b...)
	end := bytes.LastIndexByte(l.part, '\n') + 1
	if len(l.part)-end > maxPart {
		end = len(l.part)
	}
	_, _ = l.to.Write(l.part[:end])
	l.part = append(l.part[:0], l.part[end:]...)
	return len(b), nil
}

// flush writes the last line, if it has no end.
func (l *lineWriter) flush() {
	if len(l.part) > 0 {
		l.to.line(string(l.part))
		l.part = nil
	}
}

// size returns how many bytes were written.
func (h *headTail) size() int64 { return int64(len(h.head)+len(h.tail)) + h.dropped }

// end returns the half that has the last bytes.
func (h *headTail) end() *[]byte {
	if len(h.tail) > 0 {
		return &h.tail
	}
	return &h.head
}

// begun matches the beginning of a control sequence or of "\r\n" at the end of a text.
var begun = regexp.MustCompile("(?:\r|\x1b(?:\\[[0-?]*[ -/]*|[\\]PX^_][^\x07\x1b]*\x1b?|[ -/]+)?)$")

// takeBack removes the beginning of a character, a control sequence or a line's end from the
// end of what is kept, whose rest is yet to be written, and returns its bytes.
func (h *headTail) takeBack() int64 {
	const maxSequence = 100 // no control sequence is longer
	end := h.end()
	n := cutRune(*end)
	last := (*end)[max(0, len(*end)-maxSequence):]
	if at := begun.FindIndex(last); at != nil {
		n = max(n, len(last)-at[0])
	}
	*end = (*end)[:len(*end)-n]
	return int64(n)
}

// cutRune returns how many bytes at the end of b are the beginning of a character.
func cutRune(b []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if start := len(b) - i; utf8.RuneStart(b[start]) {
			if !utf8.FullRune(b[start:]) {
				return i
			}
			break
		}
	}
	return 0
}

// lastLine returns how many bytes were written after the last line end, or -1 if it is not
// among the bytes that are kept.
func (h *headTail) lastLine() int64 {
	kept := h.tail
	if h.dropped == 0 {
		kept = append(bytes.Clone(h.head), h.tail...)
	}
	if i := bytes.LastIndexByte(kept, '\n'); i >= 0 {
		return int64(len(kept) - i - 1)
	}
	return -1
}
