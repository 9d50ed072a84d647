package tools

import (
	"bytes"
	"fmt"
	"regexp"
	"sync"
	"unicode/utf8"
)

// headTail keeps the first and the last half of what is written to it. It is safe for
// concurrent writes.
type headTail struct {
	limit int

	mu      sync.Mutex
	head    []byte
	tail    []byte // at most twice what is kept of it
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

// String returns what was kept, and settles dropped. It cuts no character in two.
func (h *headTail) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if over := len(h.tail) - (h.limit - h.limit/2); over > 0 {
		h.dropped += int64(over)
		h.tail = h.tail[over:]
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

// text returns what was kept as text for a model, and how many bytes are not in it.
func (h *headTail) text() (text string, dropped int64) {
	text = plain(h.String())
	if len(text) <= h.limit+100 {
		return text, h.dropped
	}
	// Bytes that are no UTF-8 take three times the room.
	again := &headTail{limit: h.limit, dropped: h.dropped}
	_, _ = again.Write([]byte(text))
	text = again.String()
	return text, again.dropped
}

// line writes text that begins on a line of its own. Nothing else may write.
func (h *headTail) line(text string) {
	if end := *h.end(); len(end) > 0 && end[len(end)-1] != '\n' {
		_, _ = h.Write([]byte{'\n'})
	}
	_, _ = h.Write([]byte(text))
}

// lines writes to a headTail by whole lines, so that those of two streams stay apart.
type lines struct {
	to   *headTail
	part []byte
}

func (l *lines) Write(b []byte) (int, error) {
	const longest = 8 << 10
	l.part = append(l.part, b...)
	end := bytes.LastIndexByte(l.part, '\n') + 1
	if len(l.part)-end > longest {
		end = len(l.part)
	}
	_, _ = l.to.Write(l.part[:end])
	l.part = append(l.part[:0], l.part[end:]...)
	return len(b), nil
}

// flush writes what is left, when no more comes.
func (l *lines) flush() {
	if len(l.part) > 0 {
		l.to.line(string(l.part))
		l.part = nil
	}
}

// size is how many bytes were written.
func (h *headTail) size() int64 { return int64(len(h.head)+len(h.tail)) + h.dropped }

// end is where the last bytes are kept.
func (h *headTail) end() *[]byte {
	if len(h.tail) > 0 {
		return &h.tail
	}
	return &h.head
}

// begun matches the beginning of a control sequence or of a line's end, of which the rest is
// yet to come.
var begun = regexp.MustCompile("(?:\r|\x1b(?:\\[[0-?]*[ -/]*|[\\]PX^_][^\x07\x1b]*\x1b?|[ -/]+)?)$")

// hold takes back the beginning of a character, a control sequence or a line's end, and
// returns how many bytes that were.
func (h *headTail) hold() int64 {
	const longest = 100 // what goes on for longer is none
	end := h.end()
	n := cutRune(*end)
	last := (*end)[max(0, len(*end)-longest):]
	if at := begun.FindIndex(last); at != nil {
		n = max(n, len(last)-at[0])
	}
	*end = (*end)[:len(*end)-n]
	return int64(n)
}

// cutRune is how many bytes at the end of b are the beginning of a character.
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

// lastLine is how many bytes were written after the last end of a line, or -1 where that
// is not known.
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
