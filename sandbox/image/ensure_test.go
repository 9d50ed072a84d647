package image

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
)

// Whoever waits for another goroutine's build waits as long as its own Builder says.
func TestTimeoutWhileAnotherBuilds(t *testing.T) {
	is := is.New(t)
	s := &shelf{}
	lab := drydock.Runtime{Name: "lab", BaseImage: "debian:12"}
	unlock, err := builds.Lock(t.Context(), buildKey{s, refOf(t, lab)})
	is.NoErr(err)
	defer unlock()
	err = (&Builder{Engine: s, Timeout: 20 * time.Millisecond}).Ensure(t.Context(), lab)
	is.True(err != nil && strings.Contains(err.Error(), "not ready within 20ms"))
}

// Engines do not wait for each other, though they build an image of the same name.
func TestTwoEnginesBuildAtOnce(t *testing.T) {
	is := is.New(t)
	lab := drydock.Runtime{Name: "lab", BaseImage: "debian:12"}
	unlock, err := builds.Lock(t.Context(), buildKey{&shelf{}, refOf(t, lab)})
	is.NoErr(err)
	defer unlock()
	err = (&Builder{Engine: &shelf{}, Offline: true, Timeout: 10 * time.Second}).Ensure(t.Context(), lab)
	is.True(errors.Is(err, ErrOffline)) // and not that the time was up
}
