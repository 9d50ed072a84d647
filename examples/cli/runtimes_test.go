package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/drydock-go/drydock"
	"github.com/matryer/is"
)

var someRuntimes = []drydock.Runtime{
	{Name: "a", Image: "python:3", WorkDir: "/workspace"},
	{
		Name: "b", BaseImage: "mirror/node", WorkDir: "/app", StandIn: "mirror/node in place of node",
		Packages: drydock.Packages{drydock.NPM: {"vite"}, drydock.Apt: {"git", "curl"}},
	},
}

func TestListTable(t *testing.T) {
	is := is.New(t)
	var b strings.Builder
	is.NoErr(listTable(&b, someRuntimes))
	is.Equal(b.String(), ""+
		"NAME  IMAGE          PACKAGES                  WORK DIR\n"+
		"a     python:3                                 /workspace\n"+
		"b     mirror/node *  apt: git curl; npm: vite  /app\n"+
		"\n"+
		"* stands in for another image on this host:\n"+
		"  mirror/node in place of node\n")
}

func TestListJSON(t *testing.T) {
	is := is.New(t)
	var b strings.Builder
	is.NoErr(listJSON(&b, someRuntimes))
	var got []runtimeJSON
	is.NoErr(json.Unmarshal([]byte(b.String()), &got))
	is.Equal(got, []runtimeJSON{
		{Name: "a", Image: "python:3", Packages: map[string][]string{}, WorkDir: "/workspace"},
		{
			Name: "b", Image: "mirror/node", WorkDir: "/app", StandIn: "mirror/node in place of node",
			Packages: map[string][]string{"npm": {"vite"}, "apt": {"git", "curl"}},
		},
	})
	b.Reset()
	is.NoErr(listJSON(&b, nil))
	is.Equal(b.String(), "[]\n") // none is an array, too
}
