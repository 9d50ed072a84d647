//go:build !linux

package engine

import "github.com/drydock-go/drydock/dockercli"

// inheritedLimits returns none: the engine's virtual machine has its own.
func inheritedLimits() map[string]dockercli.Ulimit { return nil }
