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
	Tags       []string // name:tag
	Dockerfile string   // its path in the build context; default "Dockerfile"
	Labels     map[string]string
	BuildArgs  map[string]string // values stay out of argv as in RunOptions.Env; ARG values show in the image's history
	Platform   string            // such as "linux/arm64"; default: the engine's
	Network    string            // of RUN steps; default: the engine's
	NoCache    bool

	// Pull is about base images; default PullMissing. PullNever is known to podman alone:
	// elsewhere Build refuses it with ErrUnsupportedFlag before it starts.
	Pull PullPolicy

	// Output gets the builder's progress as it comes, stdout and stderr merged; default:
	// none. A slow writer slows the build. An error it returns ends the build.
	Output io.Writer
}

func buildArgs(o *BuildOptions, info Info) (argv, environ []string) {
	argv = []string{"build"}
	switch info.Builder {
	case BuildKit:
		argv = append(argv, "--progress=plain")
		if info.ClientVersion != "" {
			// A builder that runs in a container keeps its result unless told to load it.
			// nerdctl, and docker before 23, neither need nor know the flag.
			argv = append(argv, "--load")
		}
		environ = append(environ, "DOCKER_BUILDKIT=1")
	case Legacy:
		argv = append(argv, "--force-rm") // else a failed step leaves its container
		environ = append(environ, "DOCKER_BUILDKIT=0")
	case PodmanBuild:
		argv = append(argv, "--force-rm")
	}
	if o.Dockerfile != "" {
		argv = append(argv, "--file="+o.Dockerfile)
	}
	for _, t := range o.Tags {
		argv = append(argv, "--tag="+t)
	}
	argv = append(argv, labelFlags("--label", o.Labels)...)
	args, env := envFlags("--build-arg", o.BuildArgs)
	argv = append(argv, args...)
	if o.Platform != "" {
		argv = append(argv, "--platform="+o.Platform)
	}
	if o.Network != "" {
		argv = append(argv, "--network="+o.Network)
	}
	if o.NoCache {
		argv = append(argv, "--no-cache")
	}
	switch {
	case o.Pull == PullAlways:
		argv = append(argv, "--pull")
	case o.Pull == PullNever && info.Builder == PodmanBuild:
		argv = append(argv, "--pull=never")
	}
	return append(argv, "--", "-"), append(environ, env...)
}

// Build builds an image from a build context, a tar stream. A build that fails is an
// *Error with ErrBuild whose Stderr holds the failing step's last lines.
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
	if o.Pull == PullNever && info.Builder != PodmanBuild {
		return c.errUnsupported(argv, "--pull=never", info.Engine)
	}
	r, err := c.do(ctx, call{
		argv: argv, env: environ, stdin: buildContext, stdout: o.Output, merge: true, uncounted: true,
	})
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
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

// failingStep cuts a builder's output down to the step it ended with: BuildKit repeats that
// step's output after a rule of dashes, the others head each step with its number.
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
