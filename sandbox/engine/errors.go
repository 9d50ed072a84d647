package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/drydock-go/drydock/dockercli"
)

// The sentinels that errors.Is finds in the errors of an Engine.
var (
	// ErrFailed: the engine cannot be reached, or went away in the middle of a call.
	ErrFailed = errors.New("the engine failed")
	// ErrNoImage: an image is not on the engine, or is in no registry.
	ErrNoImage = errors.New("image not found")
	// ErrNoUser: an image does not know a user.
	ErrNoUser = errors.New("user not available")
	// ErrNoVolume: there is no volume of that name.
	ErrNoVolume = errors.New("volume not found")
	// ErrInUse: a container uses an image that was to be removed.
	ErrInUse = errors.New("in use")
	// ErrNameInUse: another container or network has that name.
	ErrNameInUse = errors.New("name in use")
)

// UnsupportedError is an operation that an engine lacks. It is errors.ErrUnsupported.
type UnsupportedError struct {
	Engine string // its name, such as "docker"; empty if it did not say
	Lacks  string // what it cannot do, such as "pause containers"
}

func (e *UnsupportedError) Error() string {
	name := "the engine"
	if e.Engine != "" {
		name = "the engine " + e.Engine
	}
	return name + " cannot " + e.Lacks
}

// Is reports whether target is errors.ErrUnsupported.
func (e *UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// Require returns the part T of an engine, one of the interfaces of this package, or an
// *UnsupportedError.
func Require[T any](ctx context.Context, e Engine) (T, error) {
	if part, ok := e.(T); ok {
		return part, nil
	}
	var none T
	t := reflect.TypeFor[T]()
	lacks, ok := parts[t]
	if !ok {
		lacks = "be a " + t.String()
	}
	info, _ := e.Info(ctx) // an engine that does not answer has no name
	return none, &UnsupportedError{Engine: info.Name, Lacks: lacks}
}

var parts = map[reflect.Type]string{
	reflect.TypeFor[Pauser]():        "pause containers",
	reflect.TypeFor[UserConnector](): "run commands as another user",
	reflect.TypeFor[Volumes]():       "make volumes",
	reflect.TypeFor[Networks]():      "make networks",
	reflect.TypeFor[Images]():        "tell about its images",
	reflect.TypeFor[ImageBuilder]():  "pull or build images",
	reflect.TypeFor[ImageArchiver](): "export or import images",
	reflect.TypeFor[Committer]():     "make an image of a container",
}

// translations is the one table of what the command line's errors mean here.
var translations = []struct{ from, to error }{
	{dockercli.ErrNoSuchImage, ErrNoImage},
	{dockercli.ErrNoSuchUser, ErrNoUser},
	{dockercli.ErrNoSuchVolume, ErrNoVolume},
	{dockercli.ErrInUse, ErrInUse},
	{dockercli.ErrNameInUse, ErrNameInUse},
	{dockercli.ErrUnreachable, ErrFailed},
	{dockercli.ErrNotInstalled, ErrFailed},
	{dockercli.ErrPermission, ErrFailed},
}

// translate adds to an error of the command line the sentinel of this package. name is the
// object that the call was about, or empty.
func translate(name string, err error) error {
	for _, t := range translations {
		switch {
		case !errors.Is(err, t.from):
		case name == "":
			return fmt.Errorf("%w: %w", t.to, err)
		default:
			return fmt.Errorf("%w: %s: %w", t.to, name, err)
		}
	}
	return err
}
