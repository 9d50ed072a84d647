package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// Pipes carry all bytes both ways, and Output reports failure and too much output.
func TestPipes(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	t.Run("both ways", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", `while read x; do echo "out $x"; echo "err $x" >&2; done; exit 4`)
		in, err := cmd.StdinPipe()
		is.NoErr(err)
		out, err := cmd.StdoutPipe()
		is.NoErr(err)
		errs, err := cmd.StderrPipe()
		is.NoErr(err)
		_, err = in.Write([]byte("early"))
		is.True(err != nil) // not before the start
		is.NoErr(cmd.Start(ctx))
		for i := range 100 {
			_, err := fmt.Fprintln(in, i)
			is.NoErr(err)
			got := make([]byte, len(fmt.Sprintf("out %d\n", i)))
			_, err = io.ReadFull(out, got)
			is.NoErr(err)
			is.Equal(string(got), fmt.Sprintf("out %d\n", i))
			_, err = io.ReadFull(errs, got)
			is.NoErr(err)
			is.Equal(string(got), fmt.Sprintf("err %d\n", i))
		}
		is.NoErr(in.Close())
		rest, err := io.ReadAll(out)
		is.NoErr(err)
		is.Equal(len(rest), 0)
		r, err := cmd.Wait()
		is.NoErr(err)
		is.Equal(r.ExitCode, 4)
		again, err := cmd.Wait()
		is.NoErr(err)
		is.Equal(again, r)
		_, err = in.Write([]byte("late"))
		is.True(err != nil)
	})
	t.Run("read after the end", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("seq", "1", "1000")
		out, err := cmd.StdoutPipe()
		is.NoErr(err)
		_, err = cmd.Run(ctx)
		is.NoErr(err)
		b, err := io.ReadAll(out)
		is.NoErr(err)
		is.Equal(bytes.Count(b, []byte("\n")), 1000)
	})
	t.Run("closed early", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", "head -c 3000000 /dev/zero; exit 6")
		out, err := cmd.StdoutPipe()
		is.NoErr(err)
		is.NoErr(cmd.Start(ctx))
		is.NoErr(out.Close())
		r, err := cmd.Wait()
		is.NoErr(err)
		is.Equal(r.ExitCode, 6) // it went on without a reader
		is.True(r.Unread)
	})
	t.Run("asked for wrongly", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("true")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, io.Discard, io.Discard
		_, err := cmd.StdinPipe()
		is.True(errors.Is(err, fs.ErrInvalid))
		_, err = cmd.StdoutPipe()
		is.True(errors.Is(err, fs.ErrInvalid))
		_, err = cmd.StderrPipe()
		is.True(errors.Is(err, fs.ErrInvalid))
		cmd = sb.Command("true")
		_, err = cmd.StdoutPipe()
		is.NoErr(err)
		_, err = cmd.StdoutPipe()
		is.True(errors.Is(err, fs.ErrInvalid)) // twice
	})
	t.Run("output", func(t *testing.T) {
		is := is.New(t)
		out, err := sb.Command("sh", "-c", "echo out; echo err >&2").Output(ctx)
		is.NoErr(err)
		is.Equal(string(out), "out\n")
		out, err = sb.Command("sh", "-c", "echo 1; echo 2 >&2; echo 3").CombinedOutput(ctx)
		is.NoErr(err)
		is.Equal(string(out), "1\n2\n3\n")

		out, err = sb.Command("sh", "-c", "echo out; echo 'the reason' >&2; exit 5").Output(ctx)
		exit, ok := errors.AsType[*sandbox.ExitError](err)
		is.True(ok)
		is.Equal(exit.ExitCode, 5)
		is.Equal(string(out), "out\n")
		is.True(strings.HasSuffix(err.Error(), ": exit code 5: the reason\n"))
		_, err = sb.Command("sh", "-c", "kill -9 $$").Output(ctx)
		_, ok = errors.AsType[*sandbox.ExitError](err)
		is.True(ok)
		is.True(strings.HasSuffix(err.Error(), ": signaled by SIGKILL"))

		cmd := sb.Command("seq", "1", "1000")
		cmd.Capture = 100
		out, err = cmd.Output(ctx)
		is.True(errors.Is(err, sandbox.ErrTooLarge))
		is.True(len(out) > 0) // what was kept
		cmd = sb.Command("true")
		cmd.Stdout = io.Discard
		_, err = cmd.Output(ctx)
		is.True(errors.Is(err, fs.ErrInvalid))
		_, err = cmd.CombinedOutput(ctx)
		is.True(errors.Is(err, fs.ErrInvalid))
		_, err = sb.Command("none").Output(ctx)
		is.True(errors.Is(err, fs.ErrNotExist))
	})
}
