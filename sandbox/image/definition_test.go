package image

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
)

func TestDockerfile(t *testing.T) {
	is := is.New(t)
	lab := drydock.Runtime{
		Name: "lab", BaseImage: "debian:12", WorkDir: "/w",
		Packages: drydock.Packages{drydock.Pip: {"pandas>=2,<3"}, drydock.Apt: {"git", "curl=1.2"}, drydock.NPM: {"@a/b@1"}, drydock.Go: {"a.b/c@v1"}},
		Requirements: map[drydock.Manager]drydock.Requirements{
			drydock.Pip: {"base.txt": "a==1"}, drydock.NPM: {"package.json": "{}", "package-lock.json": "{}"},
		},
		Env:           map[string]string{"B": `x "y" $HOME \`, "A": "1"},
		SetupCommands: []string{"echo '<&>'\necho \"$B\""},
	}
	ref, err := Reference(lab, "amd64")
	is.NoErr(err)
	is.True(strings.HasPrefix(ref, "localhost/drydock/runtime/lab:"))
	const want = `FROM debian:12
LABEL io.drydock.kind="runtime"
USER 0:0
COPY install /.drydock/install
RUN ["/bin/sh","/.drydock/install","apt","--","git","curl=1.2"]
COPY requirements/pip/base.txt /.drydock/requirements/pip/base.txt
RUN ["/bin/sh","/.drydock/install","pip","-r","/.drydock/requirements/pip/base.txt"]
RUN ["/bin/sh","/.drydock/install","pip","--","pandas>=2,<3"]
COPY requirements/npm/package-lock.json /.drydock/npm/package-lock.json
COPY requirements/npm/package.json /.drydock/npm/package.json
RUN ["/bin/sh","/.drydock/install","npm"]
RUN ["/bin/sh","/.drydock/install","npm","--","@a/b@1"]
RUN ["/bin/sh","/.drydock/install","go","a.b/c@v1"]
ENV A="1"
ENV B="x \"y\" \$HOME \\"
RUN ["/bin/sh","/.drydock/install","setup","echo '<&>'\necho \"$B\""]
COPY guest /.drydock/guest
RUN ["/.drydock/guest","prepare","/w","/home/sandbox"]
WORKDIR /w
LABEL io.drydock.base="debian:12" io.drydock.base-id="sha256:1" io.drydock.format="1" io.drydock.kind="runtime" io.drydock.runtime="lab"
`
	is.Equal(dockerfile(t, lab, false), want)
	// Builders that have cache mounts get the same, but for those.
	mounted := strings.NewReplacer(`RUN ["/bin/sh","/.drydock/install","`, `RUN --mount=type=cache,sharing=locked,target=/var/cache/drydock ["/bin/sh","/.drydock/install","`).Replace(want)
	mounted = strings.Replace(mounted, `RUN --mount=type=cache,sharing=locked,target=/var/cache/drydock ["/bin/sh","/.drydock/install","setup"`, `RUN ["/bin/sh","/.drydock/install","setup"`, 1)
	is.Equal(dockerfile(t, lab, true), mounted)
	other, err := Reference(drydock.Runtime{Name: "lab", BaseImage: "debian:12", WorkDir: "/w"}, "arm64")
	is.NoErr(err)
	is.True(other != ref)
	_, err = Reference(drydock.Runtime{BaseImage: "x"}, "mips")
	is.Equal(err.Error(), "no guest for linux/mips: there is one for each of [amd64 arm64]")
	var archives [2]bytes.Buffer
	for i := range archives {
		p, err := recipe(lab, "amd64", ref, "", false)
		is.NoErr(err)
		is.NoErr(p.writeContext(&archives[i]))
	}
	is.True(bytes.Equal(archives[0].Bytes(), archives[1].Bytes())) // the same definition gives the same bytes
}

// dockerfile is the text of a runtime's Dockerfile.
func dockerfile(t *testing.T, r drydock.Runtime, cacheMounts bool) string {
	t.Helper()
	p, err := recipe(r, "amd64", "ref", "sha256:1", cacheMounts)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, s := range p.Steps {
		text.WriteString(s.Instruction + "\n")
	}
	return text.String()
}

// Every preset yields a Dockerfile, for builders with and without cache mounts, and a tag of
// its own.
func TestPresetsRender(t *testing.T) {
	is := is.New(t)
	tags := make(map[string]string)
	for _, r := range drydock.Presets().All() {
		ref, err := Reference(r, "amd64")
		is.NoErr(err)
		is.Equal(tags[ref], "")
		tags[ref] = r.Name
		packages := 0
		for _, mounts := range []bool{false, true} {
			p, err := recipe(r, "amd64", ref, "sha256:1", mounts)
			is.NoErr(err)
			is.Equal(p.Steps[0].Instruction, "FROM "+r.Base())
			for _, s := range p.Steps {
				is.True(!strings.Contains(s.Instruction, "\n")) // an instruction is a line
				is.Equal(mounts && strings.Contains(s.Instruction, installPath+`","`) && !strings.Contains(s.Instruction, `"setup"`),
					strings.Contains(s.Instruction, "--mount=type=cache"))
				if strings.HasPrefix(s.Instruction, "RUN") {
					var args []string
					_, form, ok := strings.Cut(s.Instruction, "[")
					is.True(ok && json.Unmarshal([]byte("["+form), &args) == nil) // in the form that no shell splits
					packages += len(args)
				}
			}
		}
		for _, all := range r.Packages.All() {
			is.True(packages > 2*len(all)) // they are among the arguments
		}
	}
	is.Equal(len(tags), 15)
}
