package dockercli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// BuildOptions are the options of Build.
type BuildOptions struct {
	Tags   []string // name:tag
	Labels map[string]string

	// BuildArgs are values for the ARG instructions of the Dockerfile. They stay out of argv
	// as RunOptions.Env does, but they show in the image's history.
	BuildArgs map[string]string

	NoCache bool

	// Output gets the builder's progress as it comes, stdout and stderr merged; default:
	// none. A slow writer slows the build, and an error of the writer ends it.
	Output io.Writer
}

func buildArgs(o *BuildOptions, info Info) (argv, environ []string) {
	f := flagsOf("build")
	switch info.Builder {
	case BuildKit:
		f.add("--progress=plain")
		// A builder that runs in a container keeps its result unless it is told to load it.
		// nerdctl, and docker before 23, neither need nor know the flag.
		f.toggle("--load", info.ClientVersion != "")
		f.environ = append(f.environ, "DOCKER_BUILDKIT=1")
	case Legacy:
		f.add("--force-rm") // without it a failed step leaves its container
		f.environ = append(f.environ, "DOCKER_BUILDKIT=0")
	case PodmanBuild:
		f.add("--force-rm")
	}
	f.list("--tag", o.Tags)
	f.labels(o.Labels)
	f.variables("--build-arg", o.BuildArgs)
	f.toggle("--no-cache", o.NoCache)
	return f.operands("-"), f.environ // the build context comes on stdin
}

// Build builds an image from a build context, which is a tar stream with a Dockerfile. The error of
// a build that failed is an *Error with ErrBuild, and its Stderr has the last lines of the failing
// step.
func (c *Client) Build(ctx context.Context, buildContext io.Reader, opts *BuildOptions) error {
	o := orZero(opts)
	info, err := c.Info(ctx)
	if err != nil {
		return err
	}
	argv, environ := buildArgs(&o, info)
	if err := c.check(argv, "tag", o.Tags...); err != nil {
		return err
	}
	if err := c.checkEnv(argv, o.BuildArgs); err != nil {
		return err
	}
	r, err := c.do(ctx, call{
		argv: argv, environ: environ, stdin: buildContext, stdout: o.Output, merge: true, uncounted: true,
	})
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			e.Stderr = lastLines(failingStep(string(r.Stdout)))
		}
		return err
	}
	if r.ExitCode == 0 {
		return nil
	}
	e := c.failure(argv, r.ExitCode, failingStep(string(r.Stdout)), nil)
	switch e.Err {
	case ErrUnreachable, ErrPermission, ErrUnsupportedFlag:
	case nil:
		e.Err = ErrBuild
	default:
		e.Err = fmt.Errorf("%w: %w", ErrBuild, e.Err) // such as a base image that does not exist
	}
	return e
}

// failingStep returns the part of a builder's output that is about its last step. BuildKit repeats
// the output of a failed step after a line of dashes; the other builders begin each step with a
// line that has its number.
func failingStep(output string) string {
	at := -1
	if i := strings.LastIndex(output, "\n------\n > "); i >= 0 {
		at = i + len("\n------\n")
	}
	for _, head := range []string{"\nStep ", "\nSTEP "} {
		at = max(at, strings.LastIndex(output, head)+1)
	}
	return output[max(at, 0):]
}
