package sandbox

import (
	"io"
	"sync"

	"github.com/drydock-go/drydock/sandbox/internal/interpreter"
)

// interpreterStream is stdout or stderr of an interpreter.
type interpreterStream struct {
	scan interpreter.Scanner

	mu   sync.Mutex
	to   io.Writer // the writer of the run under way, or nil
	kept *capture  // output of the run under way without a writer, or for the next run
	err  error     // the error of to
}

func (s *interpreterStream) open(p *interpreterProcess, number int) {
	s.kept = newCapture(DefaultCapture)
	s.scan = interpreter.Scanner{Mark: p.mark, Write: s.take, Found: func(run uint32) { p.markFound(number, run) }}
}

// Write implements io.Writer for the Command.
func (s *interpreterStream) Write(b []byte) (int, error) { return len(b), s.scan.Scan(b) }

func (s *interpreterStream) flush() { _ = s.scan.End() }

// take takes the output between marks. It never fails: if the caller's writer fails, the code
// goes on.
func (s *interpreterStream) take(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(b)
	return nil
}

// put writes to the run's writer, or keeps the bytes. It is called with the lock, which keeps
// the early output of begin before later output.
func (s *interpreterStream) put(b []byte) {
	switch {
	case s.to == nil:
		s.kept.write(b)
	case s.err == nil:
		var n int
		if n, s.err = s.to.Write(b); s.err == nil && n < len(b) {
			s.err = io.ErrShortWrite
		}
	}
}

// begin directs the stream to the writer of a run, or into kept. Output since the last run goes
// there first.
func (s *interpreterStream) begin(to io.Writer, kept *capture) {
	s.mu.Lock()
	defer s.mu.Unlock()
	early, _ := s.kept.bytes()
	s.to, s.kept, s.err = to, kept, nil
	if len(early) > 0 {
		s.put(early)
	}
}

// end ends a run and returns the error of its writer. Further output is kept for the next run.
func (s *interpreterStream) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to, s.kept = nil, newCapture(DefaultCapture)
	return s.err
}
