package dockercli

import (
	"testing"

	"github.com/matryer/is"
)

func TestParseVolume(t *testing.T) {
	is := is.New(t)
	volume, err := parseVolume(`{"Name":"v","Driver":"local","Mountpoint":"/m","Labels":null}`)
	is.NoErr(err)                                                                                        // parses
	is.Equal(*volume, Volume{Name: "v", Driver: "local", Mountpoint: "/m", Labels: map[string]string{}}) // volume
}
