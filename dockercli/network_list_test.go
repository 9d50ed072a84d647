package dockercli

import (
	"testing"

	"github.com/matryer/is"
)

func TestParseNetworks(t *testing.T) {
	is := is.New(t)
	networks, err := parseNetworks(`{"ID":"1","Name":"n","Driver":"bridge","Labels":"a=1","Internal":"false"}` + "\n" +
		`{"name":"n","id":"1","driver":"bridge","internal":false,"labels":{"a":"1"}}`)
	is.NoErr(err)                          // parses
	is.Equal(networks[0], networks[1])     // docker's and podman's shape
	is.Equal(networks[0].Labels["a"], "1") // labels
}
