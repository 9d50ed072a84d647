//go:build unix

package identity

import (
	"testing"

	"github.com/matryer/is"
)

func TestUIDsAreNeverShared(t *testing.T) {
	is := is.New(t)
	seen := make(map[int]bool)
	var claims []*Claim
	for range 50 {
		c, err := claimAny()
		is.NoErr(err)
		is.True(!seen[c.uid]) // each has one of its own
		seen[c.uid] = true
		claims = append(claims, c)
	}
	for _, c := range claims {
		c.Release()
	}
	var none *Claim
	none.Release() // a sandbox without a claim
}
