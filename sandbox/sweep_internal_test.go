package sandbox

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/fakeengine"
)

func TestStaleRoot(t *testing.T) {
	is := is.New(t)
	now := time.Now()
	is.True(staleRoot(engine.Image{Created: now.Add(-2 * time.Hour)}, now))
	is.True(!staleRoot(engine.Image{Created: now.Add(-time.Minute)}, now))
	is.True(!staleRoot(engine.Image{}, now)) // not known
}

// structEngine is an engine that cannot be compared.
type structEngine struct {
	fakeengine.Engine
	_ map[string]string
}

func TestSweepDue(t *testing.T) {
	is := is.New(t)
	a, b := &structEngine{}, &structEngine{}
	is.True(claimSweep(a))
	is.True(!claimSweep(a)) // just now
	is.True(claimSweep(b))  // another engine
	_ = claimSweep(structEngine{})
	is.True(!claimSweep(structEngine{})) // those that cannot be compared are one
}
