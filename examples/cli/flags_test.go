package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/matryer/is"
)

func TestParseRun(t *testing.T) {
	is := is.New(t)
	in, err := parseRun(strings.Fields("--runtime=python-web --runtimes a.yaml --runtimes b.yaml --timeout 1m30s" +
		" --memory 512m --cpus 0.5 --pids 64 --user 1000:1000 --workdir /src --mount /data:/data:ro --mount cache:/cache" +
		" --env A=1 --env B=x=y --env C= --engine podman --offline --json -- sh -c --json"))
	is.NoErr(err)
	o := in.options
	is.Equal(o.Runtime, "python-web")                                 // runtime
	is.Equal(in.catalogFiles, []string{"a.yaml", "b.yaml"})           // runtimes
	is.Equal(in.timeout, 90*time.Second)                              // timeout
	is.Equal(o.Memory, int64(512<<20))                                // memory
	is.Equal(o.CPUs, 0.5)                                             // cpus
	is.Equal(o.PIDs, int64(64))                                       // pids
	is.Equal(o.User, "1000:1000")                                     // user
	is.Equal(o.WorkDir, "/src")                                       // work dir
	is.Equal(o.Env, map[string]string{"A": "1", "B": "x=y", "C": ""}) // env
	is.Equal(o.Mounts, []sandbox.Mount{
		{Source: "/data", Target: "/data", ReadOnly: true},
		{Source: "cache", Target: "/cache"},
	}) // mounts
	is.Equal(in.engine, "podman")                        // engine
	is.True(o.Images.Offline)                            // offline
	is.True(in.json)                                     // json
	is.Equal(in.command, []string{"sh", "-c", "--json"}) // what follows the command is its own
}

func TestParseRunDefaults(t *testing.T) {
	is := is.New(t)
	in, err := parseRun([]string{"true"})
	is.NoErr(err)
	is.Equal(in, &invocation{common: &common{engine: "docker", options: sandbox.Options{Images: &image.Builder{}}}, command: []string{"true"}}) // all else is the library's to choose
}

func TestParseRunTerminal(t *testing.T) {
	is := is.New(t)
	for _, name := range []string{"-t", "-it", "--terminal"} {
		in, err := parseRun([]string{name, "sh", "-t"})
		is.NoErr(err)
		is.True(in.terminal)                       // asked for
		is.Equal(in.command, []string{"sh", "-t"}) // the second is the command's
	}
}

func TestParsePython(t *testing.T) {
	is := is.New(t)
	in, err := parsePython(strings.Fields("--runtime python-web --timeout 5s --memory 1g -c x=1 -c x -i --out figures a.py b.py"))
	is.NoErr(err)
	is.Equal(in.options.Runtime, "python-web")   // as for run
	is.Equal(in.timeout, 5*time.Second)          // timeout
	is.Equal(in.options.Memory, int64(1<<30))    // memory
	is.Equal(in.code, []string{"x=1", "x"})      // in their order
	is.Equal(in.files, []string{"a.py", "b.py"}) // files
	is.Equal(in.out, "figures")                  // where images go
	is.True(in.interactive && in.continues())    // then a prompt
	in, err = parsePython(nil)
	is.NoErr(err)
	is.Equal(in, &pythonInvocation{common: &common{engine: "docker", options: sandbox.Options{Images: &image.Builder{}}}, out: "out"}) // all else is the library's to choose
	is.True(in.continues())                                                                                                            // there is nothing else to do
	in, err = parsePython([]string{"a.py"})
	is.NoErr(err)
	is.True(!in.continues()) // as for python3
	for args, want := range map[string]string{
		"--out= ":               "write a directory",
		"--runtime a --image b": "both --runtime and --image",
		"--json":                "not defined: -json",
		"-c":                    "flag needs an argument",
	} {
		_, err := parsePython(strings.Fields(args))
		is.True(err != nil && strings.Contains(err.Error(), want)) // says what to write
	}
}

func TestParseRunRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"":                                 "no command",
		"--json --":                        "no command",
		"-t":                               "no command",
		"-t --json -- true":                "both --terminal",
		"--runtime a --image b -- true":    "both --runtime and --image",
		"--engine= -- true":                "--engine is empty",
		"--bogus -- true":                  "-bogus",
		"--timeout":                        "flag needs an argument",
		"--timeout 5 -- true":              "30s, 5m or 1h30m",
		"--timeout -5s -- true":            "30s, 5m or 1h30m",
		"--timeout 0s -- true":             "30s, 5m or 1h30m",
		"--memory 12x -- true":             "512m",
		"--memory -1g -- true":             "512m",
		"--cpus -1 -- true":                "2 or 0.5",
		"--cpus nan -- true":               "2 or 0.5",
		"--cpus inf -- true":               "2 or 0.5",
		"--pids 0 -- true":                 "such as 256",
		"--pids 1.5 -- true":               "such as 256",
		"--env A -- true":                  "KEY=VALUE",
		"--env =x -- true":                 "KEY=VALUE",
		"--mount /data -- true":            "SRC:DST",
		"--runtimes= --json=maybe -- true": "json",
		"--runtimes a.yaml" + string(filepath.ListSeparator) + " -- true": "name of a file",
	} {
		t.Run(args, func(t *testing.T) {
			is := is.New(t)
			_, err := parseRun(strings.Fields(args))
			is.True(err != nil)                          // refused
			is.True(strings.Contains(err.Error(), want)) // says what to write
		})
	}
}

func TestParseRunHelp(t *testing.T) {
	is := is.New(t)
	for _, arg := range []string{"-h", "-help", "--help"} {
		_, err := parseRun([]string{arg})
		is.True(errors.Is(err, flag.ErrHelp)) // help
	}
}

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]int64{
		"1": 1, "100b": 100, "2k": 2 << 10, "2kb": 2 << 10, "512m": 512 << 20, "512 MiB": 512 << 20, "1g": 1 << 30,
		"1G": 1 << 30, "1GB": 1 << 30, "1GiB": 1 << 30, "1.5g": 3 << 29, "2t": 2 << 40,
		"": 0, "m": 0, "0": 0, "0.1": 0, "-1g": 0, "+1g": 0, "1ib": 0, "1bb": 0, "1x": 0, "1e3": 0, "1.": 0, ".5g": 0,
		"1,5g": 0, "0x10": 0, "1_000": 0, "nan": 0, "9999999t": 0, "1g ": 0, strings.Repeat("9", 400): 0,
	} {
		t.Run(s, func(t *testing.T) {
			is := is.New(t)
			got, err := parseBytes(s)
			is.Equal(got, want)             // bytes
			is.Equal(err != nil, want == 0) // refused
		})
	}
}

func TestParseMount(t *testing.T) {
	wd, err := os.Getwd()
	is.New(t).NoErr(err)
	for s, want := range map[string]sandbox.Mount{
		"/a:/b":          {Source: "/a", Target: "/b"},
		"/a:/b:rw":       {Source: "/a", Target: "/b"},
		"/a:/b:ro":       {Source: "/a", Target: "/b", ReadOnly: true},
		"/a:x:/b":        {Source: "/a:x", Target: "/b"},
		".:/b":           {Source: wd, Target: "/b"},
		"./a:/b":         {Source: filepath.Join(wd, "a"), Target: "/b"},
		"../a:/b":        {Source: filepath.Join(filepath.Dir(wd), "a"), Target: "/b"},
		"./-a b=1:/b":    {Source: filepath.Join(wd, "-a b=1"), Target: "/b"},
		"data:/b":        {Source: "data", Target: "/b"},
		"data:/b:ro":     {Source: "data", Target: "/b", ReadOnly: true},
		"":               {},
		"/a":             {},
		":/b":            {},
		"/a:":            {},
		"/a:b":           {},
		"/a:/b:readonly": {},
	} {
		t.Run(s, func(t *testing.T) {
			is := is.New(t)
			got, err := parseMount(s)
			is.Equal(got, want)                           // mount
			is.Equal(err != nil, want == sandbox.Mount{}) // refused
		})
	}
}

func TestBuildFlags(t *testing.T) {
	is := is.New(t)
	t.Setenv("CLI_TEST_INDEX", "https://user:secret@index.example.com/simple")
	in, err := parseRun([]string{"--pull", "never", "--pip-index", "env:CLI_TEST_INDEX", "--npm-registry=https://npm.example.com",
		"--go-proxy=https://go.example.com", "--system-mirror=https://os.example.com", "true"})
	is.NoErr(err)
	is.Equal(in.options.Images, &image.Builder{Pull: image.PullNever, PipIndex: "https://user:secret@index.example.com/simple",
		NPMRegistry: "https://npm.example.com", GoProxy: "https://go.example.com", SystemMirror: "https://os.example.com"})
	for _, args := range [][]string{{"--pull", "sometimes", "true"}, {"--pip-index", "env:CLI_TEST_NONE", "true"}} {
		_, err := parseRun(args)
		is.True(err != nil)
	}
}
