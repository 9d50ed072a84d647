package channel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
	"github.com/matryer/is"
)

// peer is a guest that follows a script.
type peer struct {
	r     *wire.Reader
	w     io.Writer
	nonce string
}

// read returns the host's next frame.
func (p *peer) read() (wire.Header, []byte, error) {
	h, err := p.r.Next()
	if err != nil {
		return h, nil, err
	}
	payload, err := p.r.Payload(h)
	return h, payload, err
}

// send ends quietly if the host is gone.
func (p *peer) send(kind wire.Kind, stream uint32, payload string) {
	_, _ = p.w.Write(wire.AppendFrame(nil, kind, stream, []byte(payload)))
}

func (p *peer) hello() {
	b, _ := json.Marshal(wire.GuestHello{Major: wire.Major, Minor: wire.Minor, Nonce: p.nonce, UID: 7})
	p.send(wire.KindHello, 0, string(b))
}

// drain reads until the host is gone.
func (p *peer) drain() {
	for {
		if _, _, err := p.read(); err != nil {
			return
		}
	}
}

// connection is a channel and its scripted guest.
type connection struct {
	*Channel
	hostR, guestR *io.PipeReader
	hostW, guestW *io.PipeWriter
	script        sync.WaitGroup
}

// connect opens a channel to a guest that reads the host's hello, follows the script and
// goes away.
func connect(script func(p *peer)) *connection {
	c := &connection{}
	c.guestR, c.hostW = io.Pipe()
	c.hostR, c.guestW = io.Pipe()
	c.script.Go(func() {
		p := &peer{r: wire.NewReader(c.guestR), w: c.guestW}
		if h, b, err := p.read(); err == nil && h.Kind == wire.KindHello {
			var hello wire.HostHello
			_ = json.Unmarshal(b, &hello)
			p.nonce = hello.Nonce
			script(p)
		}
		c.guestW.Close()
		c.guestR.Close()
	})
	c.Channel = Open(c.hostW, c.hostR, wire.HostHello{Dir: []byte("/work")})
	return c
}

// end closes the channel and its pipes and waits for every goroutine. Inside a bubble of
// synctest one that stayed behind fails the test.
func (c *connection) end() {
	c.Close()
	c.hostW.Close()
	c.hostR.Close()
	c.Wait()
	c.script.Wait()
}

// bubble runs a test with a clock of its own that fails if a goroutine is left.
func bubble(t *testing.T, test func(is *is.I)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(is.New(t)) })
}

func isViolation(err error) bool {
	var e *wire.ProtocolError
	return errors.As(err, &e) && e.Reason != ""
}

// start makes a call.
func start(is *is.I, c *connection, op wire.Op) *Call {
	is.Helper()
	call, err := c.Start(&Request{Op: op, Args: &wire.Path{Path: []byte("x")}})
	is.NoErr(err)
	return call
}

func TestHello(t *testing.T) {
	t.Run("ready", func(t *testing.T) {
		bubble(t, func(is *is.I) {
			c := connect(func(p *peer) {
				p.hello()
				p.drain()
			})
			hello, err := c.Ready(context.Background())
			is.NoErr(err)
			is.Equal(hello.UID, 7)
			is.NoErr(c.Err())
			c.end()
			<-c.Done()
			is.Equal(c.Err(), ErrClosed)
			_, err = c.Start(&Request{Op: wire.OpStat})
			is.Equal(err, ErrClosed) // no calls after Close
		})
	})
	t.Run("context", func(t *testing.T) {
		bubble(t, func(is *is.I) {
			c := connect((*peer).drain)
			enough := errors.New("enough")
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(enough)
			_, err := c.Ready(ctx)
			is.Equal(err, enough) // the cause
			is.NoErr(c.Err())     // the channel is not to blame
			c.end()
		})
	})
	t.Run("too large", func(t *testing.T) {
		bubble(t, func(is *is.I) {
			guestR, hostW := io.Pipe()
			hostR, guestW := io.Pipe()
			c := Open(hostW, hostR, wire.HostHello{Env: [][]byte{make([]byte, wire.MaxControl)}})
			_, err := c.Ready(context.Background())
			var e *wire.Error
			is.True(errors.As(err, &e))
			is.Equal(e.Code, wire.CodeTooLong)
			guestR.Close()
			guestW.Close()
			c.Wait()
		})
	})
	greet := func(change func(h *wire.GuestHello)) func(p *peer) {
		return func(p *peer) {
			h := wire.GuestHello{Major: wire.Major, Nonce: p.nonce}
			change(&h)
			b, _ := json.Marshal(h)
			p.send(wire.KindHello, 0, string(b))
			p.drain()
		}
	}
	refused := map[string]struct {
		script func(p *peer)
		want   func(err error) bool
	}{
		"nothing": {func(*peer) {}, func(err error) bool { return err == io.EOF }},
		"half a frame": {func(p *peer) { _, _ = p.w.Write([]byte{0, 0}) },
			func(err error) bool { return err == io.ErrUnexpectedEOF }},
		"text":             {func(p *peer) { _, _ = io.WriteString(p.w, "exec /.drydock/guest: no such file\n") }, isViolation},
		"another frame":    {func(p *peer) { p.send(wire.KindPong, 0, "") }, isViolation},
		"a reply":          {func(p *peer) { p.send(wire.KindReply, 2, "\x00{}") }, isViolation},
		"no JSON":          {func(p *peer) { p.send(wire.KindHello, 0, "hello") }, isViolation},
		"empty":            {func(p *peer) { p.send(wire.KindHello, 0, "") }, isViolation},
		"another nonce":    {greet(func(h *wire.GuestHello) { h.Nonce += "x" }), isViolation},
		"no nonce":         {greet(func(h *wire.GuestHello) { h.Nonce = "" }), isViolation},
		"the host's frame": {func(p *peer) { _, _ = p.w.Write(make([]byte, 9)) }, isViolation},
		"a newer version": {greet(func(h *wire.GuestHello) { h.Major, h.Minor = wire.Major+1, 3 }),
			func(err error) bool {
				return strings.Contains(err.Error(), fmt.Sprintf("version %d.3", wire.Major+1)) &&
					strings.Contains(err.Error(), "build the image again")
			}},
	}
	for name, r := range refused {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(is *is.I) {
				c := connect(r.script)
				_, err := c.Ready(context.Background())
				is.True(r.want(err)) // the reason
				<-c.Done()
				is.Equal(c.Err(), err)
				c.end()
				is.Equal(c.Err(), err) // Close does not hide it
			})
		})
	}
	t.Run("a newer minor version", func(t *testing.T) {
		bubble(t, func(is *is.I) {
			c := connect(greet(func(h *wire.GuestHello) { h.Minor = wire.Minor + 9 }))
			hello, err := c.Ready(context.Background())
			is.NoErr(err)
			is.Equal(hello.Minor, wire.Minor+9)
			c.end()
		})
	})
}

// Whatever a guest does wrong ends the channel and, with its error, every call.
func TestHostileGuest(t *testing.T) {
	const open = wire.CallStreams // the first call's number
	scripts := map[string]struct {
		misdeed func(p *peer)
		want    error // nil is a violation
	}{
		"huge frame":              {func(p *peer) { _, _ = p.w.Write([]byte{255, 255, 255, 255, 3, 0, 0, 0, open}) }, nil},
		"unknown kind":            {func(p *peer) { p.send(200, open, "") }, nil},
		"reply to no call":        {func(p *peer) { p.send(wire.KindReply, 40, "\x00{}") }, nil},
		"reply to the 2nd stream": {func(p *peer) { p.send(wire.KindReply, open+1, "\x00{}") }, nil},
		"empty reply":             {func(p *peer) { p.send(wire.KindReply, open, "") }, nil},
		"reply without JSON":      {func(p *peer) { p.send(wire.KindReply, open, "\x00") }, nil},
		"reply of text":           {func(p *peer) { p.send(wire.KindReply, open, "\x00done") }, nil},
		"error of text":           {func(p *peer) { p.send(wire.KindReply, open, "\x01failed") }, nil},
		"error without JSON":      {func(p *peer) { p.send(wire.KindReply, open, "\x01") }, nil},
		"second hello":            {(*peer).hello, nil},
		"call":                    {func(p *peer) { p.send(wire.KindCall, open, "\x01{}") }, nil},
		"cancel":                  {func(p *peer) { p.send(wire.KindCancel, open, "{}") }, nil},
		"signal":                  {func(p *peer) { p.send(wire.KindSignal, open, "{}") }, nil},
		"ping":                    {func(p *peer) { p.send(wire.KindPing, 0, "") }, nil},
		"credit over the window":  {func(p *peer) { p.send(wire.KindCredit, open, "\x00\x00\x00\x01") }, nil},
		"short credit":            {func(p *peer) { p.send(wire.KindCredit, open, "\x00") }, nil},
		"data over the window": {func(p *peer) {
			for range wire.Window/wire.MaxData + 1 {
				p.send(wire.KindData, open, strings.Repeat("x", wire.MaxData))
			}
		}, nil},
		"end inside a header": {func(p *peer) { _, _ = p.w.Write([]byte{0, 0, 0}) }, io.ErrUnexpectedEOF},
		"end inside a reply":  {func(p *peer) { _, _ = p.w.Write([]byte{0, 0, 0, 9, 3, 0, 0, 0, open, 0}) }, io.ErrUnexpectedEOF},
		"end inside data":     {func(p *peer) { _, _ = p.w.Write([]byte{0, 0, 0, 9, 4, 0, 0, 0, open, 0}) }, io.ErrUnexpectedEOF},
		"end":                 {func(p *peer) {}, io.EOF},
	}
	for name, s := range scripts {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(is *is.I) {
				started := make(chan struct{})
				c := connect(func(p *peer) {
					p.hello()
					for range 2 {
						_, _, _ = p.read() // the calls
					}
					<-started
					s.misdeed(p)
					if s.want == nil {
						p.drain() // it stays: the violation alone ends the channel
					}
				})
				first := start(is, c, wire.OpExec)
				second := start(is, c, wire.OpRead)
				close(started)
				var x wire.Exited
				errs := []error{first.Result(context.Background(), &x), second.Result(context.Background(), &x)}
				<-c.Done()
				for _, err := range append(errs, c.Err()) {
					if s.want == nil {
						is.True(isViolation(err))
					} else {
						is.Equal(err, s.want)
					}
				}
				_, err := second.Stream.Read(make([]byte, 1))
				is.Equal(err, c.Err()) // its streams end too
				c.end()
			})
		})
	}
}

func TestUnknownStreamsAreIgnored(t *testing.T) {
	bubble(t, func(is *is.I) {
		c := connect(func(p *peer) {
			p.hello()
			h, _, _ := p.read()
			for _, stream := range []uint32{0, 1, 2, 4, 5, 90, 1<<32 - 1} {
				p.send(wire.KindData, stream, "stray")
				p.send(wire.KindCredit, stream, "\xff\xff\xff\xff")
				p.send(wire.KindReset, stream, "")
				p.send(wire.KindEnd, stream, "stray")
			}
			p.send(wire.KindPong, 0, "unasked")
			p.send(wire.KindData, h.Stream, "mine")
			p.send(wire.KindReply, h.Stream, "\x00{\"Hash\":\"4\"}")
			p.drain()
		})
		call := start(is, c, wire.OpRead)
		var r wire.Hashed
		is.NoErr(call.Result(context.Background(), &r))
		is.Equal(r.Hash, "4")
		got, err := io.ReadAll(call.Stream)
		is.NoErr(err)
		is.Equal(string(got), "mine")
		is.NoErr(c.Err())
		c.end()
	})
}

func TestReply(t *testing.T) {
	bubble(t, func(is *is.I) {
		c := connect(func(p *peer) {
			p.hello()
			h, b, _ := p.read()
			p.send(wire.KindData, h.Stream, "out")
			p.send(wire.KindData, h.Stream+1, "err")
			p.send(wire.KindReply, h.Stream, "\x00"+string(b[1:]))
			h, b, _ = p.read()
			if h.Kind == wire.KindCall && wire.Op(b[0]) == wire.OpRename {
				p.send(wire.KindReply, h.Stream, "\x01{\"Code\":\"exist\",\"Text\":\"there it is\"}")
			}
			p.drain()
		})
		args := &wire.Exec{Path: []byte("\xff'\n"), Args: [][]byte{[]byte("-"), nil}}
		var out, err2 []byte
		call, err := c.Start(&Request{Op: wire.OpExec, Args: args,
			Stdout: func(p []byte) { out = append(out, p...) }, Stderr: func(p []byte) { err2 = append(err2, p...) }})
		is.NoErr(err)
		var back wire.Exec
		is.NoErr(call.Result(context.Background(), &back))
		is.Equal(back.Path, args.Path)                   // bytes that are no UTF-8 survive
		is.Equal(string(out), "out")                     // all that was sent before the reply
		is.Equal(string(err2), "err")                    // on its own stream
		is.NoErr(call.Result(context.Background(), nil)) // again
		_, err = call.Stream.Write([]byte("x"))
		is.Equal(err, wire.ErrReset) // nobody reads a call that is over
		err = c.Do(context.Background(), wire.OpRename, &wire.Rename{}, nil)
		var e *wire.Error
		is.True(errors.As(err, &e))
		is.Equal(*e, wire.Error{Code: wire.CodeExist, Text: "there it is"})
		is.NoErr(c.Err()) // an operation that fails is no failure of the channel
		c.end()
	})
}

func TestBody(t *testing.T) {
	for name, body := range map[string][]byte{"empty": {}, "some": []byte("some"), "most": make([]byte, wire.MaxData)} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(is *is.I) {
				var got []byte
				var sent []wire.Header
				c := connect(func(p *peer) {
					p.hello()
					h, _, _ := p.read()
					sent = append(sent, h)
					h, got, _ = p.read()
					sent = append(sent, h)
					p.send(wire.KindReply, h.Stream, "\x00{}")
					p.drain()
				})
				call, err := c.Start(&Request{Op: wire.OpWrite, Args: &wire.Write{}, Body: body})
				is.NoErr(err)
				is.NoErr(call.Result(context.Background(), &wire.Written{}))
				is.Equal(len(got), len(body))
				is.Equal([]wire.Kind{sent[0].Kind, sent[1].Kind}, []wire.Kind{wire.KindCall, wire.KindEnd}) // two frames
				is.Equal(sent[0].Stream, sent[1].Stream)
				c.end()
			})
		})
	}
}

func TestSilence(t *testing.T) {
	silent := func(is *is.I, script func(p *peer)) {
		is.Helper()
		c := connect(script)
		call := make(chan error, 1)
		go func() { call <- c.Do(context.Background(), wire.OpStat, &wire.Path{}, nil) }()
		began := time.Now()
		<-c.Done()
		took := time.Since(began)
		is.Equal(c.Err(), ErrSilent)
		is.True(took >= beatLimit && took <= beatLimit+beatEvery) // neither sooner nor much later
		c.end()
		err := <-call
		is.Equal(err, ErrSilent) // the call under way
	}
	t.Run("after the hello", func(t *testing.T) {
		bubble(t, func(is *is.I) {
			silent(is, func(p *peer) {
				p.hello()
				p.drain()
			})
		})
	})
	t.Run("from the start", func(t *testing.T) {
		bubble(t, func(is *is.I) { silent(is, (*peer).drain) })
	})
	t.Run("a guest that does not read either", func(t *testing.T) {
		bubble(t, func(is *is.I) {
			stop := make(chan struct{})
			c := connect(func(p *peer) { <-stop })
			<-c.Done()
			is.Equal(c.Err(), ErrSilent)
			close(stop)
			c.end()
		})
	})
	for name, answer := range map[string]wire.Kind{"pongs keep it open": wire.KindPong, "so does any frame": wire.KindData} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(is *is.I) {
				pings := 0
				c := connect(func(p *peer) {
					p.hello()
					for {
						h, b, err := p.read()
						if err != nil {
							return
						}
						if h.Kind == wire.KindPing {
							pings++
							p.send(answer, h.Stream, string(b))
						}
					}
				})
				time.Sleep(10*time.Minute + time.Second)
				is.NoErr(c.Err())
				c.end()
				is.Equal(pings, int(10*time.Minute/beatEvery)) // one a beat
			})
		})
	}
	t.Run("a slow guest keeps it open", func(t *testing.T) {
		bubble(t, func(is *is.I) {
			c := connect(func(p *peer) {
				p.hello()
				for {
					if _, _, err := p.read(); err != nil {
						return
					}
					time.Sleep(beatLimit - beatEvery - time.Second)
					p.send(wire.KindPong, 0, "")
				}
			})
			time.Sleep(time.Hour)
			is.NoErr(c.Err())
			c.end()
		})
	})
}

// A guest that stops reading blocks who writes to it; Close and the pipes' end free them.
func TestStuckGuest(t *testing.T) {
	bubble(t, func(is *is.I) {
		stop := make(chan struct{})
		c := connect(func(p *peer) {
			p.hello()
			<-stop
		})
		_, err := c.Ready(context.Background())
		is.NoErr(err)
		errs := make(chan error, 1)
		go func() { errs <- c.Do(context.Background(), wire.OpStat, &wire.Path{}, nil) }()
		synctest.Wait()
		left := start(is, c, wire.OpStat) // left to who is writing: does not wait
		c.Close()
		is.Equal(left.Result(context.Background(), nil), ErrClosed)
		c.hostW.Close()
		is.Equal(<-errs, ErrClosed)
		close(stop)
		c.end()
	})
}

func TestFail(t *testing.T) {
	bubble(t, func(is *is.I) {
		c := connect(func(p *peer) {
			p.hello()
			p.drain()
		})
		call := start(is, c, wire.OpExec)
		lost := errors.New("container is gone")
		c.Fail(lost)
		c.Close()
		<-call.Done()
		is.Equal(call.Result(context.Background(), nil), lost) // the first reason stands
		is.Equal(call.Await(context.Background()), nil)
		is.Equal(call.Signal(wire.Signal{Number: 9}), lost)
		call.Cancel(true) // no effect, no panic
		_, err := call.Stream.Write([]byte("x"))
		is.Equal(err, lost)
		_, err = call.Stderr.Read(make([]byte, 1))
		is.Equal(err, lost)
		_, err = c.Start(&Request{Op: wire.OpWrite, Body: []byte{}})
		is.Equal(err, lost)
		c.end()
	})
}

func TestCancelAndSignal(t *testing.T) {
	bubble(t, func(is *is.I) {
		type frame struct {
			wire.Header
			payload string
		}
		got := make(chan frame, 10)
		c := connect(func(p *peer) {
			p.hello()
			for {
				h, b, err := p.read()
				if err != nil {
					return
				}
				got <- frame{h, string(b)}
				if h.Kind == wire.KindCancel {
					p.send(wire.KindReply, h.Stream, "\x01{\"Code\":\"aborted\"}")
				}
			}
		})
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		done := make(chan error, 1)
		go func() { done <- c.Do(ctx, wire.OpStat, &wire.Path{}, nil) }()
		asked := <-got
		is.Equal(asked.Kind, wire.KindCall)
		cancel(enough)
		is.Equal(<-done, enough) // the cause
		f := <-got
		is.Equal(f.Kind, wire.KindCancel)
		is.Equal(f.Stream, asked.Stream) // of that call
		is.Equal(f.payload, `{"Now":true}`)

		call := start(is, c, wire.OpExec)
		asked = <-got
		is.NoErr(call.Signal(wire.Signal{Number: 15}))
		f = <-got
		is.Equal(f.Kind, wire.KindSignal)
		is.Equal(f.Stream, asked.Stream)
		is.Equal(f.payload, `{"Number":15}`)
		call.Cancel(false)
		f = <-got
		is.Equal(f.payload, `{}`)
		var e *wire.Error
		is.True(errors.As(call.Result(context.Background(), nil), &e))
		is.Equal(e.Code, wire.CodeAborted) // the reply still comes
		is.NoErr(c.Err())
		c.end()
	})
}

func TestLongArguments(t *testing.T) {
	bubble(t, func(is *is.I) {
		sizes := make(chan int, 1)
		c := connect(func(p *peer) {
			p.hello()
			h, _, _ := p.read()
			sizes <- h.Len
			p.send(wire.KindReply, h.Stream, "\x00")
			p.drain()
		})
		fits := strings.Repeat("x", wire.MaxControl-3) // in JSON quotes and with the operation
		_, err := c.Start(&Request{Op: wire.OpExec, Args: fits + "x"})
		var e *wire.Error
		is.True(errors.As(err, &e)) // one byte too many
		is.Equal(e.Code, wire.CodeTooLong)
		is.NoErr(c.Err()) // is refused alone
		is.NoErr(c.Do(context.Background(), wire.OpStat, fits, nil))
		is.Equal(<-sizes, wire.MaxControl) // the largest goes through
		c.end()
	})
}

func TestManyCalls(t *testing.T) {
	is := is.New(t)
	const calls = 1000
	c := connect(func(p *peer) {
		p.hello()
		for {
			h, b, err := p.read()
			if err != nil {
				return
			}
			p.send(wire.KindReply, h.Stream, "\x00"+string(b[1:]))
		}
	})
	defer c.end()
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			name := fmt.Appendf(nil, "call %d", i)
			var back wire.Path
			is.NoErr(c.Do(context.Background(), wire.OpStat, &wire.Path{Path: name}, &back))
			is.Equal(back.Path, name) // to each its own reply
		})
	}
	wg.Wait()
	is.NoErr(c.Err())
	c.mu.Lock()
	defer c.mu.Unlock()
	is.Equal(len(c.calls), 0) // none is kept
}

// A guest that is gone while calls are made: each ends, however the two meet.
func TestCallsMeetTheEnd(t *testing.T) {
	is := is.New(t)
	for n := range 100 {
		c := connect(func(p *peer) {
			p.hello()
			for range n % 8 {
				h, _, _ := p.read()
				p.send(wire.KindReply, h.Stream, "\x00{}")
			}
		})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := c.Do(context.Background(), wire.OpStat, &wire.Path{}, &wire.FileInfo{})
				is.True(err == nil || err == io.EOF || err == io.ErrClosedPipe) // answered or lost
			})
		}
		wg.Wait()
		c.end()
		is.True(!isViolation(c.Err())) // a guest that answered did nothing wrong
	}
}

func FuzzHost(f *testing.F) {
	// All three calls, answered as they should be.
	var valid []byte
	for _, frame := range []struct {
		kind    wire.Kind
		stream  uint32
		payload string
	}{
		{wire.KindData, 3, "stdout"}, {wire.KindData, 4, "stderr"}, {wire.KindEnd, 4, ""}, {wire.KindReset, 3, ""},
		{wire.KindReply, 3, "\x00{\"Code\":1,\"Elapsed\":5,\"Rung\":\"term\"}"},
		{wire.KindEnd, 6, "contents"}, {wire.KindReply, 6, "\x00{\"Size\":8}"}, {wire.KindPong, 0, "x"},
		{wire.KindReply, 9, "\x01{\"Code\":\"no_space\",\"Text\":\"full\"}"}, {wire.KindBye, 0, "the reason"},
	} {
		valid = wire.AppendFrame(valid, frame.kind, frame.stream, []byte(frame.payload))
	}
	f.Add(true, valid)
	f.Add(true, valid[:len(valid)-5])
	for _, b := range [][]byte{
		nil,
		wire.AppendFrame(nil, wire.KindReply, 3, []byte("\x00{}")),
		wire.AppendFrame(nil, wire.KindReply, 6, []byte("\x01{\"Code\":\"io\"}")),
		wire.AppendFrame(nil, wire.KindReply, 6, []byte("\x01")),
		wire.AppendFrame(nil, wire.KindData, 3, []byte("stderr")),
		wire.AppendFrame(wire.AppendFrame(nil, wire.KindEnd, 3, []byte("x")), wire.KindReset, 2, nil),
		wire.AppendFrame(nil, wire.KindCredit, 3, []byte{0, 0, 0, 1}),
		wire.AppendFrame(nil, wire.KindPong, 0, nil),
		wire.AppendFrame(nil, wire.KindHello, 0, []byte("{}")),
		[]byte("Error response from daemon\n"),
	} {
		f.Add(true, b)
		f.Add(false, b)
	}
	f.Fuzz(func(t *testing.T, greeted bool, in []byte) {
		is := is.New(t)
		ready := make(chan struct{})
		c := connect(func(p *peer) {
			var rest sync.WaitGroup
			rest.Go(p.drain) // the host never waits for this guest
			if greeted {
				p.hello()
			}
			<-ready
			_, _ = p.w.Write(in)
			_ = p.w.(io.Closer).Close()
			rest.Wait()
		})
		sunk := 0
		var calls []*Call
		for _, r := range []*Request{
			{Op: wire.OpExec, Args: &wire.Exec{}},
			{Op: wire.OpRead, Args: &wire.Read{}, Stdout: func(p []byte) { sunk += len(p) }},
			{Op: wire.OpWrite, Args: &wire.Write{}, Body: []byte("body")},
		} {
			call, err := c.Start(r)
			is.NoErr(err)
			calls = append(calls, call)
		}
		close(ready)
		select {
		case <-c.Done():
		case <-time.After(20 * time.Second):
			t.Fatal("the channel outlives its guest")
		}
		err := c.Err()
		for _, call := range calls {
			select {
			case <-call.Done(): // with a reply or the channel's end
			case <-time.After(20 * time.Second):
				t.Fatal("a call outlives the channel")
			}
			_, _ = io.Copy(io.Discard, call.Stream) // ends
		}
		c.end()
		var said *EndError
		is.True(err == io.EOF || err == io.ErrUnexpectedEOF || isViolation(err) || errors.As(err, &said) ||
			strings.Contains(err.Error(), "version")) // a reason to tell people
		is.True(sunk <= len(in))
	})
}
