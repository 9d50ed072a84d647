package dockercli

import (
	"testing"

	"github.com/matryer/is"
)

func TestParseImages(t *testing.T) {
	is := is.New(t)
	id := "1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc0000"
	images, err := parseImages(`{"ID":"sha256:` + id + `","Repository":"a/b","Tag":"1"}` + "\n" +
		`[{"Id":"` + id + `","Created":1700000000,"Names":["a:1","a:2"]},{"Id":"` + id + `","Names":null}]`)
	is.NoErr(err)                                                                                                                       // parses
	is.Equal(images, []ImageSummary{{"sha256:" + id, "a/b:1"}, {"sha256:" + id, "a:1"}, {"sha256:" + id, "a:2"}, {"sha256:" + id, ""}}) // images
}
