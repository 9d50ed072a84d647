package drydock

import (
	"slices"
	"testing"

	"github.com/matryer/is"
)

// The hash names images that exist: if it changes, every host builds all of them again. A change has
// to come with a new first line of the hashed text.
func TestHashGolden(t *testing.T) {
	for _, tt := range []struct {
		runtime Runtime
		want    string
	}{
		{Runtime{Image: "python:3.12-slim"}, "a126c2759f0f3380b555533c344514ff5b222ecd91bffd5341383fe9322dabc9"},
		{full(), "70bd45faaa1a507ea4e3864f87de02c646cf709ff4317b9b4a6a889190f20ded"},
	} {
		is := is.New(t)
		is.Equal(tt.runtime.Hash(), tt.want)
	}
}

func full() Runtime {
	return Runtime{
		Name: "x", Description: "d", BaseImage: "a", StandIn: StandIn{Image: "a", For: "b"},
		Packages:      Packages{Apt: {"git", "curl"}, Pip: {"pandas>=2,<3"}},
		SetupCommands: []string{"one", "two"},
		Env:           map[string]string{"A": "1", "B": "2"},
		WorkDir:       "/w", User: "1000:1000",
	}
}

func TestHash(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Runtime)
		same   bool
	}{
		"name":                     {func(r *Runtime) { r.Name = "y" }, true},
		"description":              {func(r *Runtime) { r.Description = "e" }, true},
		"stand-in":                 {func(r *Runtime) { r.StandIn = StandIn{} }, true},
		"order of packages":        {func(r *Runtime) { slices.Reverse(r.Packages[Apt]) }, true},
		"a package twice":          {func(r *Runtime) { r.Packages[Apt] = []string{"git", "curl", "git"} }, true},
		"a manager without any":    {func(r *Runtime) { r.Packages[Go] = nil }, true},
		"image":                    {func(r *Runtime) { r.BaseImage = "b" }, false},
		"another package":          {func(r *Runtime) { r.Packages[Apt][0] = "jq" }, false},
		"a package more":           {func(r *Runtime) { r.Packages[Pip] = append(r.Packages[Pip], "x") }, false},
		"another manager":          {func(r *Runtime) { r.Packages = Packages{Apk: r.Packages[Apt], Pip: r.Packages[Pip]} }, false},
		"a command":                {func(r *Runtime) { r.SetupCommands[0] = "1" }, false},
		"order of commands":        {func(r *Runtime) { slices.Reverse(r.SetupCommands) }, false},
		"where a command ends":     {func(r *Runtime) { r.SetupCommands = []string{"onet", "wo"} }, false},
		"a value":                  {func(r *Runtime) { r.Env["A"] = "2" }, false},
		"a variable":               {func(r *Runtime) { delete(r.Env, "A") }, false},
		"which variable has which": {func(r *Runtime) { r.Env["A"], r.Env["B"] = r.Env["B"], r.Env["A"] }, false},
		"work dir":                 {func(r *Runtime) { r.WorkDir = "" }, false},
		"user":                     {func(r *Runtime) { r.User = "" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r := full()
			tt.change(&r)
			is.Equal(r.Hash() == full().Hash(), tt.same)
		})
	}
	is := is.New(t)
	is.Equal(Runtime{Image: "a"}.Hash(), Runtime{BaseImage: "a"}.Hash())                      // nothing is installed
	is.Equal(Runtime{Image: "a"}.Hash(), Runtime{Image: "a", WorkDir: DefaultWorkDir}.Hash()) // the default
}

func TestHashLeavesTheRuntimeAlone(t *testing.T) {
	is := is.New(t)
	r := full()
	r.Hash()
	is.Equal(r, full())
}

func TestStandInString(t *testing.T) {
	for _, tt := range []struct {
		name    string
		standIn StandIn
		want    string
	}{
		{"none", StandIn{}, ""},
		{"one", StandIn{Image: "mirror/a:1", For: "a:1"}, "mirror/a:1 in place of a:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(tt.standIn.String(), tt.want)
		})
	}
}
