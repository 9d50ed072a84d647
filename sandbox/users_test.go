package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// Commands run as the users of Options.Users, without capabilities, and spare each other's.
func TestUsers(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	sb := enginetest.Open(t, sandbox.Options{User: "1234", Users: []string{"root", "0", "1234"}})
	ctx := context.Background()
	as := func(user string, args ...string) *sandbox.Command {
		cmd := sb.Command(args[0], args[1:]...)
		cmd.User = user
		return cmd
	}
	for user, want := range map[string]string{"": "1234\n", "root": "0\n", "1234": "1234\n"} {
		r, err := as(user, "sh", "-c", "id -u").Run(ctx)
		is.NoErr(err)
		is.Equal(string(r.Stdout), want)
	}
	r, err := as("root", "sh", "-c", "grep CapEff /proc/self/status; touch /etc/x || echo denied").Run(ctx)
	is.NoErr(err)
	is.True(strings.Contains(string(r.Stdout), "CapEff:\t0000000000000000\ndenied\n")) // root in name only

	// Several guests, some of one user: what ends a job of one spares those of the others.
	var others []*sandbox.Command
	for i, user := range []string{"", "root", "0", "1234"} {
		cmd := as(user, "sleep", fmt.Sprint(marker, i))
		is.NoErr(cmd.Start(ctx))
		others = append(others, cmd)
	}
	is.NoErr(waitFor(func() bool { return len(top(t, cli, sb.Name())) == 4 }))
	for _, user := range []string{"", "root", "0", "1234"} {
		for range 5 {
			cmd := as(user, "sh", "-c", "trap '' TERM; (setsid sleep "+marker+"9 &); while :; do sleep "+marker+"9; done")
			cmd.Timeout, cmd.Grace = 50*time.Millisecond, 20*time.Millisecond
			r, err := cmd.Run(ctx)
			is.NoErr(err)
			is.Equal(r.Outcome, sandbox.TimedOut)
		}
	}
	is.Equal(fmt.Sprint(top(t, cli, sb.Name())), fmt.Sprintf("map[%[1]s0:1 %[1]s1:1 %[1]s2:1 %[1]s3:1]", marker))
	for _, cmd := range others {
		is.NoErr(cmd.Kill())
		r, err := cmd.Wait()
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.Canceled)
	}

	// Whoever is root inside can end its own guest: that is the sandbox lost.
	r, err = as("root", "sh", "-c", "echo kept; kill -9 -1; sleep 60").Run(ctx)
	is.True(errors.Is(err, sandbox.ErrLost))
	is.Equal(r.Outcome, sandbox.Lost)
}
