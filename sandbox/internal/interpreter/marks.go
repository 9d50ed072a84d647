package interpreter

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strconv"
)

// Prompt is the number of the mark that a shell writes when it is ready for more.
const Prompt = 0

// The number of a run follows the mark in hexadecimal digits, and a semicolon.
const markTail = 8 + 1

// NewMark returns text that no program writes by chance. It begins with an escape, which is rare
// in output, and a shell expands nothing of it in a prompt.
func NewMark() string { return "\x1b_drydock-" + rand.Text() + "~" }

// AppendMark appends the mark of a run.
func AppendMark(b []byte, mark string, run uint32) []byte {
	return fmt.Appendf(b, "%s%08x;", mark, run)
}

// Scanner passes on the output of an interpreter on one of its streams, without the marks.
type Scanner struct {
	Mark  string
	Write func(p []byte) error // takes the output
	Found func(run uint32)     // called for a mark, after the output before it was written

	held []byte // the possible beginning of a mark
}

// Scan takes the next bytes.
func (s *Scanner) Scan(p []byte) error {
	if len(s.held) > 0 {
		p = append(s.held, p...)
		s.held = nil
	}
	mark := []byte(s.Mark)
	for {
		at := bytes.Index(p, mark)
		if at < 0 {
			keep := overlap(p, mark)
			s.held = append(s.held, p[len(p)-keep:]...)
			return s.pass(p[:len(p)-keep])
		}
		if err := s.pass(p[:at]); err != nil {
			return err
		}
		p = p[at:]
		if len(p) < len(mark)+markTail {
			s.held = append(s.held, p...)
			return nil
		}
		tail := p[len(mark) : len(mark)+markTail]
		run, err := strconv.ParseUint(string(tail[:markTail-1]), 16, 32)
		if err != nil || tail[markTail-1] != ';' {
			// It is no mark after all.
			if err := s.pass(p[:1]); err != nil {
				return err
			}
			p = p[1:]
			continue
		}
		s.Found(uint32(run))
		p = p[len(mark)+markTail:]
	}
}

// End passes on output that was held back.
func (s *Scanner) End() error {
	held := s.held
	s.held = nil
	return s.pass(held)
}

func (s *Scanner) pass(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	return s.Write(p)
}

// overlap returns how many of the last bytes of p can be the beginning of a mark.
func overlap(p, mark []byte) int {
	for n := min(len(p), len(mark)-1); n > 0; n-- {
		if p[len(p)-n] == mark[0] && bytes.HasPrefix(mark, p[len(p)-n:]) {
			return n
		}
	}
	return 0
}
