package sandbox

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/engine"
)

func TestStaleRoot(t *testing.T) {
	is := is.New(t)
	now := time.Now()
	is.True(staleRoot(engine.Image{Created: now.Add(-2 * time.Hour)}, now))
	is.True(!staleRoot(engine.Image{Created: now.Add(-time.Minute)}, now))
	is.True(!staleRoot(engine.Image{}, now)) // not known
}
