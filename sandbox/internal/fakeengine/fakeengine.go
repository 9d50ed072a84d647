// Package fakeengine has an engine for tests to build theirs on. It has every part of an
// engine, and every call panics with the method's name: a test overrides the ones that it
// expects.
package fakeengine

import (
	"context"
	"io"

	"github.com/drydock-go/drydock/sandbox/engine"
)

// Engine is to be embedded.
type Engine struct{}

var _ interface {
	engine.Engine
	engine.Pauser
	engine.UserConnector
	engine.Volumes
	engine.Networks
	engine.ImageBuilder
	engine.ImageArchiver
	engine.Committer
} = Engine{}

func unexpected(method string) string { return "the test's engine got an unexpected call of " + method }

func (Engine) Info(context.Context) (engine.Info, error) { panic(unexpected("Info")) }
func (Engine) Start(context.Context, *engine.Container) (engine.Conn, error) {
	panic(unexpected("Start"))
}
func (Engine) StartDetached(context.Context, *engine.Container) error {
	panic(unexpected("StartDetached"))
}
func (Engine) Connect(context.Context, string) (engine.Conn, error) { panic(unexpected("Connect")) }
func (Engine) List(context.Context, string, string) ([]engine.Object, error) {
	panic(unexpected("List"))
}
func (Engine) Remove(context.Context, string) error  { panic(unexpected("Remove")) }
func (Engine) Pause(context.Context, string) error   { panic(unexpected("Pause")) }
func (Engine) Unpause(context.Context, string) error { panic(unexpected("Unpause")) }
func (Engine) ConnectUser(context.Context, string, string) (engine.Conn, error) {
	panic(unexpected("ConnectUser"))
}
func (Engine) VolumeLabels(context.Context, string) (map[string]string, error) {
	panic(unexpected("VolumeLabels"))
}
func (Engine) CreateVolume(context.Context, string, map[string]string, string, int, int) error {
	panic(unexpected("CreateVolume"))
}
func (Engine) CreateNetwork(context.Context, string, map[string]string) error {
	panic(unexpected("CreateNetwork"))
}
func (Engine) ListNetworks(context.Context, string, string) ([]engine.Object, error) {
	panic(unexpected("ListNetworks"))
}
func (Engine) RemoveNetwork(context.Context, string) (bool, error) {
	panic(unexpected("RemoveNetwork"))
}
func (Engine) InspectImage(context.Context, string) (engine.Image, error) {
	panic(unexpected("InspectImage"))
}
func (Engine) ListImages(context.Context, string, string) ([]engine.TaggedImage, error) {
	panic(unexpected("ListImages"))
}
func (Engine) RemoveImage(context.Context, string) error     { panic(unexpected("RemoveImage")) }
func (Engine) Pull(context.Context, string, io.Writer) error { panic(unexpected("Pull")) }
func (Engine) Build(context.Context, *engine.Build) error    { panic(unexpected("Build")) }
func (Engine) Reserve(context.Context, string, string, map[string]string) (bool, error) {
	panic(unexpected("Reserve"))
}
func (Engine) SaveImages(context.Context, io.Writer, ...string) error {
	panic(unexpected("SaveImages"))
}
func (Engine) LoadImages(context.Context, io.Reader) ([]string, error) {
	panic(unexpected("LoadImages"))
}
func (Engine) Commit(context.Context, string, string) error { panic(unexpected("Commit")) }
