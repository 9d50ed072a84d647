package drydock

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestImageForms(t *testing.T) {
	is := is.New(t)
	digest := "sha256:" + strings.Repeat("0a", 32)
	for _, image := range []string{
		"python", "python:3.12-slim", "oven/bun:1-slim", "localhost/drydock/python:bookworm", "localhost:5000/a",
		"ghcr.io/a/b-c/d__e.f:V1_2", "python@" + digest, "python:3@" + digest, "[::1]:5000/a", "scratch",
	} {
		is.NoErr(Runtime{Image: image}.Validate()) // accepted
	}
	for _, image := range []string{
		" ", "-a", "--a", "A", "a b", "a\nb", "a:", "a::b", "a:-b", "a@sha256:0a", "a@" + strings.ToUpper(digest),
		"/a", "a/", "a//b", "$A", "${A}", "https://a/b", "a..b", "a/../b", "a:b c", "a:" + strings.Repeat("b", 129),
		strings.Repeat("a", 513),
	} {
		if (Runtime{Image: image}).Validate() == nil {
			t.Errorf("%q is accepted", image)
		}
	}
}

func TestCheckUser(t *testing.T) {
	for _, user := range []string{"1000", "1000:1000", "0", "node", "_apt", "www-data", "node:node", "1000:node", "node:0"} {
		t.Run(user, func(t *testing.T) { is.New(t).NoErr(CheckUser(user)) })
	}
	for _, user := range []string{"", "-1", "node:", ":node", "a:b:c", "1000:2147483648", "01", "2147483648", "a b", "a\x00"} {
		t.Run(fmt.Sprintf("%q refused", user), func(t *testing.T) {
			is := is.New(t)
			err := CheckUser(user)
			is.True(err != nil) // refused
			is.Equal(err.Error(), fmt.Sprintf("user: %q is not a user; write a uid such as 1000, uid:gid such as "+
				"1000:1000, or the name of a user of the image", user)) // says so
		})
	}
}
