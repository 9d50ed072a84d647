//go:build linux

package guest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// finder is a fileSearch that finds as much as the path says, after a while.
type finder struct {
	open   *atomic.Int64
	broken string
}

func (s finder) search(path string, f *findings) error {
	if path == s.broken {
		return errors.New("broken")
	}
	if rand.IntN(4) == 0 {
		time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
	}
	var number, count int
	if _, err := fmt.Sscanf(path, "%d %d", &number, &count); err != nil {
		f.errors++
		return nil
	}
	for i := range count {
		if err := f.begin(); err != nil {
			return err
		}
		f.buf = fmt.Appendf(f.buf, "%d.%d%s ", number, i, strings.Repeat("-", 40))
		if err := f.spill(); err != nil {
			return err
		}
	}
	return nil
}

func (s finder) close() { s.open.Add(-1) }

func TestGathering(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, test := range []struct {
		name   string
		files  int
		limit  int
		broken string
	}{
		{"nothing", 0, 100, ""},
		{"one", 1, 100, ""},
		{"one batch", 3, 100, ""},
		{"all", 3000, 1 << 30, ""},
		{"limit", 3000, 5000, ""},
		{"limit at an end", 3000, 100, ""},
		{"limit of one", 3000, 1, ""},
		{"limit of none", 10, 0, ""},
		{"broken", 3000, 1 << 30, "1700 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			before := runtime.NumGoroutine()
			var open atomic.Int64
			var got strings.Builder
			g := &gathering{c: idle(), size: 4, limit: test.limit,
				start:   func() (fileSearch, error) { open.Add(1); return finder{&open, test.broken}, nil },
				deliver: func(f *findings) error { got.Write(f.buf); return nil },
			}
			is.NoErr(g.begin())
			var want strings.Builder
			wanted, errs := 0, 0
			err := func() error {
				for i := range test.files {
					count := i % 4
					if i%500 == 20 {
						count = 2500 // more than is kept
					}
					if i == 1700 {
						count = 0
					}
					for j := range count {
						if wanted++; wanted <= test.limit {
							fmt.Fprintf(&want, "%d.%d%s ", i, j, strings.Repeat("-", 40))
						}
					}
					if i%1000 == 7 {
						g.fail()
						errs++
					}
					if err := g.add(fmt.Sprint(i, count)); err != nil {
						return err
					}
				}
				return nil
			}()
			err = g.end(err)
			is.Equal(open.Load(), int64(0))
			is.Equal(len(searchers()), 0)
			eventually(is, func() bool { return runtime.NumGoroutine() <= before })
			if test.broken != "" {
				is.Equal(err.Error(), "broken")
				is.True(strings.HasPrefix(want.String(), got.String()))
				return
			}
			is.NoErr(err)
			is.True(got.String() == want.String()) // all of it, in order
			is.Equal(g.more, wanted > test.limit)
			if !g.more {
				is.Equal(g.errors, errs)
			}
		})
	}
	t.Run("given up while it waits for others", func(t *testing.T) {
		is := is.New(t)
		for range cap(searchers()) {
			searchers() <- struct{}{}
		}
		c := idle()
		time.AfterFunc(5*time.Millisecond, func() { close(c.quit) })
		is.Equal((&gathering{c: c}).begin(), errAborted)
		for range cap(searchers()) {
			<-searchers()
		}
	})
}

// A directory that does not fit the memory for it is read in several passes.
func TestDirectoryInPasses(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	var want []string
	for i := range 700 {
		name := fmt.Sprintf("%03d", i)
		if i%7 == 0 {
			name += "\n\xff" + strings.Repeat("x", 200)
			is.NoErr(os.Mkdir(dir+"/"+name, 0o755))
		} else {
			is.NoErr(os.WriteFile(dir+"/"+name, nil, 0o644))
		}
		want = append(want, name)
	}
	for _, most := range []int{1, 300, 5000, 1 << 20} {
		r := newDirReader(idle())
		r.max = most
		var got []string
		for e, err := range r.entries(dir) {
			is.NoErr(err)
			is.Equal(e.kind == syscall.DT_DIR, len(e.name) > 3)
			is.Equal(kindOf(dir+"/"+e.name), e.kind)
			got = append(got, e.name)
		}
		is.Equal(len(got), len(want))
		is.Equal(got, want)
	}
}

// large makes a file that takes a while to search, and many more names of it.
func (s *session) large(is *is.I, links int) {
	is.Helper()
	text := strings.Repeat(strings.Repeat("some text ", 8)+"\n", 12<<20/81)
	s.plant(is, map[string]string{"large/0": text})
	for i := range links {
		is.NoErr(os.Link(s.path("large/0"), s.path(fmt.Sprintf("large/%d", i+1))))
	}
}

func TestSearchCanceled(t *testing.T) {
	for _, test := range []struct {
		name  string
		links int
		grep  wire.Grep
	}{
		{"among many files", 1000, wire.Grep{Pattern: []byte("[x-z]{3}y")}},
		{"in a file, across lines", 0, wire.Grep{Pattern: []byte("([a-z ]+\n){50}[0-9]"), Multiline: true}},
		{"with much found", 1000, wire.Grep{Pattern: []byte("some"), Before: 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			s := serve(t, is, sessionOptions{})
			s.large(is, test.links)
			test.grep.Limit = 1 << 40
			call, err := s.ch.Start(&channel.Request{Op: wire.OpGrep, Args: &test.grep, Stdout: func([]byte) {}})
			is.NoErr(err)
			time.Sleep(100 * time.Millisecond)
			start := time.Now()
			call.Cancel(true)
			err = call.Result(context.Background(), nil)
			t.Log("ended after", time.Since(start))
			is.Equal(codeOf(err), wire.CodeAborted)
			is.True(time.Since(start) < 5*time.Second)
			// It leaves room for the next one.
			var result wire.Searched
			_, err = s.collect(wire.OpGrep, &wire.Grep{Pattern: []byte("x"), Path: []byte("large/0"), Limit: 1}, &result)
			is.NoErr(err)
		})
	}
}

// Other calls are answered while all searchers are busy.
func TestAnswersDuringSearches(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	s.large(is, 300)
	var calls []*channel.Call
	for range 12 {
		call, err := s.ch.Start(&channel.Request{Op: wire.OpGrep, Args: &wire.Grep{Pattern: []byte("[x-z]{3}y"), Limit: 1}})
		is.NoErr(err)
		calls = append(calls, call)
	}
	var longest time.Duration
	for range 50 {
		start := time.Now()
		is.NoErr(s.do(wire.OpStat, &wire.Path{Path: []byte("large/0")}, nil))
		longest = max(longest, time.Since(start))
		time.Sleep(time.Millisecond)
	}
	t.Log("the longest stat took", longest)
	is.True(longest < 5*time.Second)
	for _, call := range calls {
		call.Cancel(true)
	}
	for _, call := range calls {
		is.Equal(codeOf(call.Result(context.Background(), nil)), wire.CodeAborted)
	}
}

// The file changes while it is read: something is found, and nothing breaks.
func TestSearchOfChangingFiles(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	s.plant(is, map[string]string{"f": "", "d/f": ""})
	stop := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return nil
				default:
				}
				f, err := os.OpenFile(s.path("f"), os.O_WRONLY|os.O_APPEND, 0)
				if err != nil {
					return err
				}
				_, err = f.WriteString(strings.Repeat("needle\n", 1000))
				if i%50 == 0 && err == nil {
					err = f.Truncate(0)
				}
				f.Close()
				if err != nil {
					return err
				}
				name := s.path(fmt.Sprintf("d/%d", i%10))
				if err := os.WriteFile(name, []byte("needle\n"), 0o644); err != nil {
					return err
				}
				if err := os.Remove(name); err != nil {
					return err
				}
			}
		}()
	}()
	for range 100 {
		for _, multiline := range []bool{false, true} {
			var result wire.Searched
			data, err := s.collect(wire.OpGrep, &wire.Grep{Pattern: []byte("needle"), Limit: 100, Multiline: multiline}, &result)
			is.NoErr(err)
			for records := wire.NewRecords(data); records.More(); {
				l, err := records.GrepLine()
				is.NoErr(err)
				is.Equal(string(l.Text), "needle")
			}
		}
		s.globbed(is, wire.Glob{Pattern: []byte("**/*")})
	}
	close(stop)
	is.NoErr(<-done)
}

// A search of a deep tree ends at the longest path that the kernel takes.
func TestSearchOfDeepTree(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	dir := s.dir
	name := strings.Repeat("d", 200)
	for len(dir)+len(name) < 3900 {
		dir += "/" + name
	}
	is.NoErr(os.MkdirAll(dir, 0o755))
	is.NoErr(os.WriteFile(filepath.Join(dir, "f"), []byte("x\n"), 0o644))
	paths, result := s.globbed(is, wire.Glob{Pattern: []byte("**/f"), Dir: []byte(s.dir)})
	is.Equal(len(paths), 1)
	is.Equal(result.Errors, 0)
}
