package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/matryer/is"
)

// gate is a pipe whose writes wait for a token each.
type gate struct {
	entered, tokens chan struct{}
	got             []byte
}

func newGate() *gate {
	return &gate{entered: make(chan struct{}, 100), tokens: make(chan struct{}, 100)}
}

func (g *gate) Write(p []byte) (int, error) {
	g.entered <- struct{}{}
	<-g.tokens
	g.got = append(g.got, p...)
	return len(p), nil
}

func (g *gate) open() {
	for range cap(g.tokens) {
		g.tokens <- struct{}{}
	}
}

// frames decodes whole frames.
func frames(is *is.I, b []byte) (headers []Header, payloads [][]byte) {
	is.Helper()
	r := NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return headers, payloads
		}
		is.NoErr(err)
		p, err := r.Payload(h)
		is.NoErr(err)
		headers, payloads = append(headers, h), append(payloads, p)
	}
}

func kinds(headers []Header) (kinds []Kind) {
	for _, h := range headers {
		kinds = append(kinds, h.Kind)
	}
	return kinds
}

func TestControlPassesData(t *testing.T) {
	t.Run("behind the frame under way only", func(t *testing.T) {
		is := is.New(t)
		g := newGate()
		w := NewWriter(g)
		var data sync.WaitGroup
		data.Go(func() { is.NoErr(w.Frames(AppendFrame(nil, KindData, 1, noise(MaxData)))) })
		<-g.entered // the first data frame is being written
		data.Go(func() { is.NoErr(w.Frames(AppendFrame(nil, KindData, 3, noise(10)))) })
		is.NoErr(w.Send(KindPing, 0, []byte("1"))) // returns though the pipe is blocked
		is.NoErr(w.Send(KindPong, 0, []byte("2")))
		g.open()
		data.Wait()
		h, p := frames(is, g.got)
		is.Equal(kinds(h), []Kind{KindData, KindPing, KindPong, KindData}) // control first
		is.Equal([]uint32{h[0].Stream, h[3].Stream}, []uint32{1, 3})       // both data frames
		is.True(bytes.Equal(p[0], noise(MaxData)))                         // the first is whole
	})
	t.Run("ahead of data that waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			g := newGate()
			w := NewWriter(g)
			var wg sync.WaitGroup
			wg.Go(func() { is.NoErr(w.Send(KindHello, 0, nil)) })
			<-g.entered
			wg.Go(func() { is.NoErr(w.Frames(AppendFrame(nil, KindData, 1, nil))) })
			synctest.Wait() // the data frame waits for the pipe
			is.NoErr(w.Send(KindPing, 0, nil))
			g.open()
			wg.Wait()
			h, _ := frames(is, g.got)
			is.Equal(kinds(h), []Kind{KindHello, KindPing, KindData}) // control came later and went first
		})
	})
}

func TestWriterFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		g, gone := newGate(), errors.New("gone")
		w := NewWriter(g)
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- w.Frames(AppendFrame(nil, KindData, 1, nil)) }()
		<-g.entered
		is.NoErr(w.Send(KindPing, 0, nil)) // left to the writer under way
		go func() { second <- w.Send(KindPong, 0, nil) }()
		is.NoErr(<-second)
		w.Fail(gone)
		w.Fail(errors.New("later"))
		g.open()
		is.Equal(<-first, gone)                   // the ping it was to write as well is not out
		is.Equal(w.Send(KindPing, 0, nil), gone)  // later control frames
		is.Equal(w.Frames([]byte("frame")), gone) // later data frames
		h, _ := frames(is, g.got)
		is.Equal(kinds(h), []Kind{KindData}) // nothing is written after Fail
	})
	t.Run("releases who waits for a stuck pipe", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			g, gone := newGate(), errors.New("gone")
			w := NewWriter(g)
			stuck, waiting := make(chan error, 1), make(chan error, 1)
			go func() { stuck <- w.Send(KindHello, 0, nil) }()
			<-g.entered
			go func() { waiting <- w.Frames(AppendFrame(nil, KindData, 1, nil)) }()
			synctest.Wait()
			w.Fail(gone)
			is.Equal(<-waiting, gone) // though the pipe is still stuck
			g.open()
			is.NoErr(<-stuck) // which took its frame in the end
		})
	})
	t.Run("of the pipe", func(t *testing.T) {
		is := is.New(t)
		pr, pw := io.Pipe()
		broken := errors.New("broken")
		pr.CloseWithError(broken)
		w := NewWriter(pw)
		is.Equal(w.Send(KindPing, 0, nil), broken) // the write's own error
		is.Equal(w.Frames(nil), broken)            // and ever after
	})
}

// Frames of many goroutines arrive whole, and those of each in its order.
func TestWriterConcurrently(t *testing.T) {
	is := is.New(t)
	const senders, each = 8, 200
	pr, pw, err := os.Pipe()
	is.NoErr(err)
	defer pr.Close()
	w := NewWriter(pw)
	var wg, all sync.WaitGroup
	for i := range uint32(senders) {
		wg.Go(func() {
			for n := range each {
				is.NoErr(w.Send(KindPing, i, []byte{byte(n)}))
			}
		})
		wg.Go(func() {
			for n := range each {
				p := bytes.Repeat([]byte{byte(n)}, 1+int(i)*701)
				is.NoErr(w.Frames(AppendFrame(nil, KindData, i, p)))
			}
		})
	}
	all.Go(func() {
		wg.Wait()
		pw.Close()
	})
	r := NewReader(pr)
	next := map[Header]int{}
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		is.NoErr(err)
		p, err := r.Payload(h)
		is.NoErr(err)
		n := next[h]
		next[h]++
		is.Equal(p, bytes.Repeat([]byte{byte(n)}, h.Len)) // whole and in order
	}
	all.Wait()
	is.Equal(len(next), 2*senders) // all senders
	for _, n := range next {
		is.Equal(n, each) // all frames
	}
}
