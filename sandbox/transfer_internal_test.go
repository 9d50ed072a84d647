package sandbox

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/archive"
	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
	"github.com/matryer/is"
)

// scripted is a guest that a test plays. It gets its end of the first call's stream; other
// frames of the host are dropped.
type scripted func(g *wire.Mux, id uint32, s *wire.Stream)

// newScripted returns a sandbox that has a channel and nothing else.
func newScripted(t *testing.T, answer scripted) *Sandbox {
	t.Helper()
	guestR, hostW := io.Pipe()
	hostR, guestW := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer guestW.Close()
		r, m := wire.NewReader(guestR), wire.NewMux(guestW)
		defer m.Fail(io.ErrClosedPipe)
		for {
			h, err := r.Next()
			if err != nil {
				return
			}
			switch h.Kind {
			case wire.KindData, wire.KindEnd, wire.KindCredit, wire.KindReset:
				err = m.Deliver(h, r)
			case wire.KindHello:
				var hello wire.HostHello
				b, _ := r.Payload(h)
				_ = json.Unmarshal(b, &hello)
				b, _ = json.Marshal(wire.GuestHello{Major: wire.Major, Nonce: hello.Nonce})
				err = m.Send(wire.KindHello, 0, b)
			case wire.KindCall:
				_, err = r.Payload(h)
				s := m.Open(h.Stream, nil)
				go func() {
					answer(m, h.Stream, s)
					if err := m.Send(wire.KindPong, 0, nil); err != nil {
						guestW.Close()
					}
				}()
			default:
				_, err = r.Payload(h)
			}
			if err != nil {
				return
			}
		}
	}()
	sb := &Sandbox{config: &config{}, workDir: "/workspace", done: make(chan struct{})}
	sb.ch = channel.Open(hostW, hostR, wire.HostHello{})
	go func() {
		<-sb.ch.Done()
		sb.err = ErrLost
		close(sb.done)
	}()
	t.Cleanup(func() {
		sb.ch.Close()
		hostW.Close()
		hostR.Close()
		sb.ch.Wait()
		<-done
		<-sb.done
	})
	return sb
}

func reply(m *wire.Mux, id uint32, status byte, v any) {
	b, _ := json.Marshal(v)
	_ = m.Send(wire.KindReply, id, append([]byte{status}, b...))
}

// archived is a tree of a few files.
func archived() []byte {
	var b bytes.Buffer
	p := archive.NewPacker(&b, &archive.Options{})
	err := p.FS(fstest.MapFS{"a/b": {Data: bytes.Repeat([]byte("x"), 100_000)}, "c": {Data: []byte("y")}})
	if err == nil {
		err = p.Close()
	}
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Whatever a guest does with a download, the host's error says what happened.
func TestDownloadFromAnyGuest(t *testing.T) {
	whole := archived()
	bad := &wire.Error{Code: wire.CodePermission, Name: []byte("a/\x1b"), Text: "closed\x1b[2J"}
	for _, test := range []struct {
		name   string
		answer scripted
		err    error // nil is success
		text   string
	}{
		{"well", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = s.Write(whole)
			reply(m, id, wire.StatusOK, wire.Packed{})
		}, nil, ""},
		{"odd replies", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = s.Write(whole)
			reply(m, id, wire.StatusOK, wire.Packed{SkippedCount: -1 << 62, Skipped: slices.Repeat([]*wire.Error{nil, bad}, 1000), Changed: make([][]byte, 1000)})
		}, nil, ""},
		{"error at once", func(m *wire.Mux, id uint32, s *wire.Stream) {
			reply(m, id, wire.StatusError, bad)
		}, fs.ErrPermission, `download "a/\x1b": closed` + "\uFFFD[2J"},
		{"error in a file", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = s.Write(whole[:50_000])
			reply(m, id, wire.StatusError, bad)
		}, fs.ErrPermission, "closed"},
		{"error between files", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = s.Write(whole[:512])
			reply(m, id, wire.StatusError, bad)
		}, fs.ErrPermission, "closed"},
		{"error after all", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = s.Write(whole)
			reply(m, id, wire.StatusError, bad)
		}, fs.ErrPermission, "closed"},
		{"success without a word", func(m *wire.Mux, id uint32, s *wire.Stream) {
			reply(m, id, wire.StatusOK, wire.Packed{})
		}, fs.ErrInvalid, "the archive is empty"},
		{"success after half of it", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = s.Write(whole[:50_000])
			reply(m, id, wire.StatusOK, wire.Packed{})
		}, fs.ErrInvalid, "the archive ends early"},
		{"no archive, for ever", func(m *wire.Mux, id uint32, s *wire.Stream) {
			for {
				if _, err := s.Write(make([]byte, 100)); err != nil {
					return
				}
				if _, err := s.Write([]byte("noise")); err != nil {
					return
				}
			}
		}, fs.ErrInvalid, "the archive is damaged"},
		{"a file of 1 TiB", func(m *wire.Mux, id uint32, s *wire.Stream) {
			w := tar.NewWriter(s)
			_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "f", Size: 1 << 40})
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, ErrTooLarge, "download f: more than 4294967296 bytes: raise MaxBytes"},
		{"a device", func(m *wire.Mux, id uint32, s *wire.Stream) {
			w := tar.NewWriter(s)
			_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "./"})
			_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeBlock, Name: "sda"})
			_ = w.Flush()
			// And no reply.
		}, ErrUnsafe, "download sda: a device; TransferOptions.Skip leaves such entries out"},
		{"nothing more in a file", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = s.Write(whole[:50_000])
		}, context.DeadlineExceeded, ""},
		{"no reply", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = s.Write(whole)
		}, context.DeadlineExceeded, ""},
		{"end and no reply", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = s.Write(whole[:50_000])
			_ = s.CloseWrite()
		}, context.DeadlineExceeded, ""},
		{"gone", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = s.Write(whole[:50_000])
			m.Fail(io.ErrClosedPipe)
		}, ErrLost, ""},
		{"a frame that none may send", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = s.Write(whole[:50_000])
			_ = m.Send(wire.KindCall, id, []byte("x"))
		}, ErrLost, ""},
		{"a reply that is none", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = s.Write(whole)
			reply(m, id, wire.StatusOK, "no object")
		}, ErrLost, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			sb := newScripted(t, test.answer)
			ctx := context.Background()
			if test.err == context.DeadlineExceeded {
				var cancel func()
				ctx, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
				defer cancel()
			}
			dir := t.TempDir()
			r, err := sb.Download(ctx, "tree", filepath.Join(dir, "new/dst"), nil)
			if test.err == nil {
				is.NoErr(err)
				is.Equal(r.Bytes, int64(100_001))
				is.Equal(r.Entries, int64(4))
				is.True(r.SkippedCount >= 0 && len(r.Skipped) <= 100 && len(r.Changed) <= 100)
				return
			}
			e, ok := errors.AsType[*Error](err)
			is.True(ok)
			is.Equal(e.Op, "download")
			is.True(errors.Is(err, test.err))
			is.True(strings.Contains(err.Error(), test.text))
			entries, err := os.ReadDir(dir)
			is.NoErr(err)
			is.Equal(len(entries), 0) // nothing is left
		})
	}
}

// Whatever a guest does with an upload, the host's error says what happened, and no call blocks.
func TestUploadToAnyGuest(t *testing.T) {
	full := &wire.Error{Code: wire.CodeNoSpace, Name: []byte("a/b"), Text: "no space left on device"}
	for _, test := range []struct {
		name   string
		answer scripted
		check  func(error) bool
	}{
		{"well", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = io.Copy(io.Discard, s)
			reply(m, id, wire.StatusOK, nil)
		}, func(err error) bool { return err == nil }},
		{"error at once", func(m *wire.Mux, id uint32, s *wire.Stream) {
			reply(m, id, wire.StatusError, full)
		}, func(err error) bool { return err.Error() == "upload a/b: no space left on device" }},
		{"error later", func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = io.CopyN(io.Discard, s, 1<<20)
			reply(m, id, wire.StatusError, &wire.Error{Code: wire.CodePermission, Text: "closed"})
		}, func(err error) bool { return errors.Is(err, fs.ErrPermission) && err.Error() == "upload dst: closed" }},
		{"success that cannot be", func(m *wire.Mux, id uint32, s *wire.Stream) {
			reply(m, id, wire.StatusOK, nil)
		}, func(err error) bool { return err.Error() == "upload dst: the sandbox did not read the whole archive" }},
		{"wants no more", func(m *wire.Mux, id uint32, s *wire.Stream) {
			s.CloseRead()
		}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{"does not read", func(m *wire.Mux, id uint32, s *wire.Stream) {},
			func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{"gone", func(m *wire.Mux, id uint32, s *wire.Stream) { m.Fail(io.ErrClosedPipe) },
			func(err error) bool { return errors.Is(err, ErrLost) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			sb := newScripted(t, test.answer)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, err := sb.UploadFS(ctx, fstest.MapFS{"f": {Data: make([]byte, 5<<20)}}, "dst", nil)
			is.True(test.check(err))
		})
	}
	t.Run("a source that fails", func(t *testing.T) {
		is := is.New(t)
		sb := newScripted(t, func(m *wire.Mux, id uint32, s *wire.Stream) {
			_, _ = io.Copy(io.Discard, s)
			reply(m, id, wire.StatusError, &wire.Error{Code: wire.CodeAborted, Text: "canceled by the host"})
		})
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		for _, cause := range []error{io.ErrUnexpectedEOF, io.ErrNoProgress, errors.New("broken")} {
			whole := archived()
			_, err := sb.UploadTar(ctx, io.MultiReader(bytes.NewReader(whole[:50_000]), failing{cause}), "dst", nil)
			is.True(errors.Is(err, cause))
		}
		is.True(sb.Alive())
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestTransferOptions(t *testing.T) {
	sb := newScripted(t, func(m *wire.Mux, id uint32, s *wire.Stream) {})
	ctx := context.Background()
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	for _, test := range []struct {
		name string
		do   func() error
		want error
		text string
	}{
		{"negative", func() error { _, err := sb.Upload(ctx, ".", "", &TransferOptions{MaxBytes: -1}); return err }, fs.ErrInvalid, "upload .: MaxBytes, MaxEntries, MaxDepth or MaxPath is negative"},
		{"pattern", func() error {
			_, err := sb.Download(ctx, "a", "b", &TransferOptions{Exclude: []string{"["}})
			return err
		}, fs.ErrInvalid, `exclude: pattern "[": a [ has no ]`},
		{"canceled", func() error { _, err := sb.Download(canceled, "a", "b", nil); return err }, context.Canceled, "download b: "},
		{"no destination", func() error { _, err := sb.Download(ctx, "a", "", nil); return err }, fs.ErrInvalid, "the destination is empty"},
		{"root into", func() error { _, err := sb.Download(ctx, "/", "x/", nil); return err }, fs.ErrInvalid, "it has no name to put into x/"},
		{"parent into", func() error { _, err := sb.Download(ctx, "/a/..", "x/", nil); return err }, fs.ErrInvalid, "it has no name"},
		{"host's root into", func() error { _, err := sb.Upload(ctx, "/", "x/", nil); return err }, fs.ErrInvalid, "it has no name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			err := test.do()
			is.True(errors.Is(err, test.want))
			is.True(strings.Contains(err.Error(), test.text))
		})
	}
}
