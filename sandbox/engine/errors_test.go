package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/dockercli"
)

func TestTranslate(t *testing.T) {
	for name, test := range map[string]struct {
		from, to error
		object   string
		text     string
	}{
		"no image":         {dockercli.ErrNoSuchImage, ErrNoImage, "debian:12", "image not found: debian:12: docker run: exit 125: no such image"},
		"no user":          {dockercli.ErrNoSuchUser, ErrNoUser, "", "user not available: docker run: exit 125: no such user in the container"},
		"no volume":        {dockercli.ErrNoSuchVolume, ErrNoVolume, "data", "volume not found: data: docker run: exit 125: no such volume"},
		"image in use":     {dockercli.ErrInUse, ErrInUse, "debian:12", "in use: debian:12: docker run: exit 125: a container still uses it\nremove the containers that use it first"},
		"name in use":      {dockercli.ErrNameInUse, ErrNameInUse, "", "name in use: docker run: exit 125: the name is in use\nremove the object of that name, or take another name"},
		"unreachable":      {dockercli.ErrUnreachable, ErrFailed, "", "the engine failed: docker run: exit 125: the container engine cannot be reached\nstart the engine, and check DOCKER_HOST or Client.Host and the docker context"},
		"not installed":    {dockercli.ErrNotInstalled, ErrFailed, "", "the engine failed: docker run: exit 125: the container CLI was not found\ninstall docker or podman, or set Client.Path to the CLI"},
		"no permission":    {dockercli.ErrPermission, ErrFailed, "", "the engine failed: docker run: exit 125: no permission to use the container engine\nadd the user to the group docker and log in again, or use rootless docker or podman"},
		"nothing it means": {dockercli.ErrOutput, dockercli.ErrOutput, "x", "docker run: exit 125: the output of the container CLI cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			cause := &dockercli.Error{Args: []string{"/usr/bin/docker", "run"}, ExitCode: 125, Err: test.from}
			err := translate(test.object, cause)
			is.True(errors.Is(err, test.to))
			is.True(errors.Is(err, test.from)) // nothing is lost
			is.Equal(err.Error(), test.text)
		})
	}
	is.New(t).NoErr(translate("x", nil))
}

// smallest is an engine that has nothing but what every engine has.
type smallest struct{ name string }

func (e smallest) Info(context.Context) (Info, error) {
	if e.name == "" {
		return Info{}, errors.New("no answer")
	}
	return Info{Name: e.name}, nil
}
func (smallest) Start(context.Context, *Container) (Conn, error)        { panic("Start") }
func (smallest) StartDetached(context.Context, *Container) error        { panic("StartDetached") }
func (smallest) Connect(context.Context, string) (Conn, error)          { panic("Connect") }
func (smallest) List(context.Context, string, string) ([]Object, error) { panic("List") }
func (smallest) Remove(context.Context, string) error                   { panic("Remove") }

func TestRequire(t *testing.T) {
	ctx := context.Background()
	need := map[string]func(Engine) error{
		"cannot pause containers":             func(e Engine) error { _, err := Require[Pauser](ctx, e); return err },
		"cannot run commands as another user": func(e Engine) error { _, err := Require[UserConnector](ctx, e); return err },
		"cannot make volumes":                 func(e Engine) error { _, err := Require[Volumes](ctx, e); return err },
		"cannot make networks":                func(e Engine) error { _, err := Require[Networks](ctx, e); return err },
		"cannot tell about its images":        func(e Engine) error { _, err := Require[Images](ctx, e); return err },
		"cannot pull or build images":         func(e Engine) error { _, err := Require[ImageBuilder](ctx, e); return err },
		"cannot export or import images":      func(e Engine) error { _, err := Require[ImageArchiver](ctx, e); return err },
		"cannot make an image of a container": func(e Engine) error { _, err := Require[Committer](ctx, e); return err },
	}
	for text, find := range need {
		t.Run(text, func(t *testing.T) {
			is := is.New(t)
			is.NoErr(find(Default())) // docker has it
			err := find(smallest{"kubernetes"})
			is.True(errors.Is(err, errors.ErrUnsupported))
			is.Equal(err.Error(), "the engine kubernetes "+text)
			is.Equal(find(smallest{}).Error(), "the engine "+text) // one that does not answer
		})
	}
	is.New(t).Equal(len(need), len(parts)) // all parts
}
