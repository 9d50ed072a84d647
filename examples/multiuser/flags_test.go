package main

import (
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestParse(t *testing.T) {
	is := is.New(t)
	c, err := parse(nil)
	is.NoErr(err)
	is.Equal(c.addr, "127.0.0.1:8080")               // default address
	is.Equal(c.timeout, 30*time.Second)              // default timeout
	is.Equal(c.sessions.Max, 20)                     // default max
	is.Equal(c.sessions.IdleTimeout, 10*time.Minute) // default idle
	is.Equal(c.sessions.SweepInterval, time.Minute)  // sweep
	is.Equal(c.sessions.WorkspaceRoot != "", true)   // kept by default
	is.True(c.sessions.Sandbox.Memory < 1<<30)       // bounded
	is.Equal(c.sessions.Sandbox.Network, "")         // none
	is.Equal(c.sessions.Sandbox.Runtime, "")         // the library's default
	is.Equal(c.sessions.Sandbox.Image, "")           // none
	is.True(c.sessions.Sandbox.Engine != nil)        // engine
	c, err = parse([]string{"--host", "Code.example.org", "--idle", "5s", "--workspaces="})
	is.NoErr(err)
	is.Equal(c.hosts, []string{"code.example.org"})   // lower case
	is.Equal(c.sessions.SweepInterval, 5*time.Second) // not longer than idle
	is.Equal(c.sessions.WorkspaceRoot, "")            // none
	_, err = parse([]string{"--help"})
	is.True(errors.Is(err, flag.ErrHelp)) // help
}

func TestParseAddr(t *testing.T) {
	for args, want := range map[string]string{
		"--addr 127.0.0.1:0":                "127.0.0.1:0",
		"--addr 127.8.9.1:80":               "127.8.9.1:80",
		"--addr [::1]:80":                   "[::1]:80",
		"--public --addr :80":               ":80",
		"--public --addr 192.0.2.1:80":      "192.0.2.1:80",
		"--addr :80":                        "no authentication",
		"--addr 0.0.0.0:80":                 "no authentication",
		"--addr [::]:80":                    "no authentication",
		"--addr 192.0.2.1:80":               "no authentication",
		"--addr [::ffff:192.0.2.1]:80":      "no authentication",
		"--addr 127.0.0.1":                  "write a host and a port",
		"--public=false --addr 10.1.1.1:80": "--public",
	} {
		t.Run(args, func(t *testing.T) {
			is := is.New(t)
			c, err := parse(strings.Fields(args))
			if c != nil {
				is.NoErr(err)
				is.Equal(c.addr, want) // resolved
				return
			}
			is.True(strings.Contains(err.Error(), want)) // the reason
		})
	}
}

func TestParseRefused(t *testing.T) {
	for args, want := range map[string]string{
		"x":                     `unexpected argument "x"`,
		"--bogus":               "bogus",
		"--runtime a --image b": "one of them",
		"--engine=":             "--engine is empty",
		"--max 0":               "--max",
		"--idle 0s":             "--idle",
		"--timeout -1s":         "--timeout",
		"--host http://x":       "without scheme",
	} {
		t.Run(args, func(t *testing.T) {
			is := is.New(t)
			_, err := parse(strings.Fields(args))
			is.True(err != nil)                          // refused
			is.True(strings.Contains(err.Error(), want)) // what to write
		})
	}
}
