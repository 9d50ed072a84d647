package sandbox

import "github.com/drydock-go/drydock/dockercli"

// RunOptions are those that a sandbox's container was started with.
func RunOptions(sb *Sandbox, engine dockercli.Engine) *dockercli.RunOptions {
	return runOptions(sb.spec, engine)
}
