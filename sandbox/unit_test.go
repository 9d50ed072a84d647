package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// The table of the package documentation.
func TestWhoRunsInside(t *testing.T) {
	docker := EngineInfo{Name: "docker"}
	podman := EngineInfo{Name: "podman"}
	rootlessDocker := EngineInfo{Name: "docker", Rootless: true}
	rootlessPodman := EngineInfo{Name: "podman", Rootless: true}
	roots, users := &fileOwner{0, 0}, &fileOwner{1000, 100}
	for _, test := range []struct {
		name    string
		uid     int
		engine  EngineInfo
		user    string
		workDir *fileOwner
		want    identity
	}{
		{"user set", 0, docker, "7:8", users, identity{user: "7:8", uid: 7, gid: 8}},
		{"uid set", 0, docker, "7", nil, identity{user: "7:7", uid: 7, gid: 7}},
		{"name set", 0, docker, "www-data", nil, identity{user: "www-data", uid: -1, gid: -1}},
		{"name and group set", 0, docker, "www-data:7", nil, identity{user: "www-data:7", uid: -1, gid: -1}},
		{"user set, rootless", 1000, rootlessPodman, "7:8", nil, identity{user: "7:8", uid: 7, gid: 8}},
		{"rootless podman", 1000, rootlessPodman, "", roots, identity{user: "1000:1001", uid: 1000, gid: 1001, keepID: true}},
		{"rootless docker", 1000, rootlessDocker, "", users, identity{user: "0:0"}},
		{"docker as a user", 1000, docker, "", users, identity{user: "1000:1001", uid: 1000, gid: 1001}},
		{"podman as root", 0, podman, "", nil, identity{own: true}},
		{"docker as root", 0, docker, "", nil, identity{own: true}},
		{"docker as root, work dir of a user's", 0, docker, "", users, identity{user: "1000:100", uid: 1000, gid: 100}},
		{"docker as root, work dir of root's", 0, docker, "", roots, identity{own: true}},
		{"docker on Windows", -1, docker, "", nil, identity{own: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			gid := 0
			if test.uid == 1000 {
				gid = 1001
			}
			is.Equal(host{uid: test.uid, gid: gid, engine: test.engine}.decide(test.user, test.workDir), test.want)
		})
	}
}

func TestUIDsAreNeverShared(t *testing.T) {
	is := is.New(t)
	seen := make(map[int]bool)
	var claims []*uidClaim
	for range 50 {
		c, err := claimUID()
		is.NoErr(err)
		is.True(!seen[c.uid]) // each has one of its own
		seen[c.uid] = true
		claims = append(claims, c)
	}
	for _, c := range claims {
		c.release()
	}
	var none *uidClaim
	none.release() // a sandbox without a claim
}

func TestRunOptions(t *testing.T) {
	c := &config{Options: Options{Memory: 1 << 30, PIDs: 1024, WorkDir: "/work", Name: "n", Network: "none", Tmpfs: map[string]int64{"/cache": 4096}, Ulimits: map[string]Ulimit{"nofile": {10, 20}}, OCIRuntime: "runsc",
		Mounts: []Mount{{Source: "/data", Target: "/data", ReadOnly: true}, {Source: "vol", Target: Home}}}}
	spec := c.container("tag", identity{user: "7:8", uid: 7, gid: 8}, EngineInfo{CPUs: 1})
	t.Run("docker", func(t *testing.T) {
		is := is.New(t)
		o := runOptions(spec, dockercli.Docker)
		is.Equal(o.CPUs, 1.0) // as many as there are
		is.Equal(o.Memory, o.MemorySwap)
		is.Equal(o.CapDrop, []string{"ALL"})
		is.Equal(o.SecurityOpt, []string{"no-new-privileges"})
		is.True(o.ReadOnly && o.Remove && o.NoInit && o.NoHealthcheck)
		is.Equal(o.Pull, dockercli.PullNever)
		is.Equal([]string{o.Network, o.IPC, o.CgroupNS, o.Restart, o.LogDriver, o.StopSignal, o.User},
			[]string{"none", "private", "private", "no", "none", "KILL", "7:8"})
		is.True(o.DetachKeys == nil)
		is.Equal(o.Tmpfs, map[string]string{
			"/tmp":          "rw,exec,nosuid,nodev,size=134217728,mode=1777",
			"/cache":        "rw,exec,nosuid,nodev,size=4096,mode=700,uid=7,gid=8",
			"/work":         "rw,exec,nosuid,nodev,size=402653184,mode=700,uid=7,gid=8",
			"/.drydock/run": "rw,noexec,nosuid,nodev,size=1048576,mode=700,uid=7,gid=8",
		}) // home is a volume
		is.Equal(o.Mounts, []dockercli.Mount{
			{Type: dockercli.MountBind, Source: "/data", Target: "/data", ReadOnly: true},
			{Type: dockercli.MountVolume, Source: "vol", Target: Home}})
		is.Equal(o.Ulimits, map[string]dockercli.Ulimit{"core": {}, "nofile": {Soft: 10, Hard: 20}})
		is.Equal(o.Runtime, "runsc")
		is.Equal(len(o.Env), 0) // nothing of the caller's is to be seen by inspect
	})
	t.Run("podman", func(t *testing.T) {
		is := is.New(t)
		spec.KeepID = true
		o := runOptions(spec, dockercli.Podman)
		is.Equal(*o.DetachKeys, "")
		is.True(o.NoPasswd)
		is.Equal(o.UserNS, "keep-id")
		is.Equal(slices.Collect(func(yield func(string) bool) {
			for path := range o.Tmpfs {
				if !yield(path) {
					return
				}
			}
		}), []string{"/tmp"})
		is.Equal(o.Mounts[3], dockercli.Mount{Type: dockercli.MountTmpfs, Target: "/work", Size: 3 << 27, Mode: 0o700, Own: true, Empty: true})
		is.Equal(o.Ulimits["nofile"], dockercli.Ulimit{Soft: 10, Hard: 20}) // what is given wins
	})
}

func TestDockerfile(t *testing.T) {
	is := is.New(t)
	im, err := newImage(drydock.Runtime{
		Name: "lab", BaseImage: "debian:12", WorkDir: "/w",
		Packages: drydock.Packages{drydock.Pip: {"pandas>=2,<3"}, drydock.Apt: {"git", "curl=1.2"}, drydock.NPM: {"@a/b@1"}, drydock.Go: {"a.b/c@v1"}},
		Requirements: map[drydock.Manager]drydock.Requirements{
			drydock.Pip: {"base.txt": "a==1"}, drydock.NPM: {"package.json": "{}", "package-lock.json": "{}"},
		},
		Env:           map[string]string{"B": `x "y" $HOME \`, "A": "1"},
		SetupCommands: []string{"echo '<&>'\necho \"$B\""},
	}, "amd64")
	is.NoErr(err)
	is.True(strings.HasPrefix(im.tag, "localhost/drydock/runtime/lab:"))
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
	is.Equal(string(dockerfile(im.steps("sha256:1", false))), want)
	// Builders that have cache mounts get the same, but for those.
	mounted := strings.NewReplacer(`RUN ["/bin/sh","/.drydock/install","`, `RUN --mount=type=cache,sharing=locked,target=/var/cache/drydock ["/bin/sh","/.drydock/install","`).Replace(want)
	mounted = strings.Replace(mounted, `RUN --mount=type=cache,sharing=locked,target=/var/cache/drydock ["/bin/sh","/.drydock/install","setup"`, `RUN ["/bin/sh","/.drydock/install","setup"`, 1)
	is.Equal(string(dockerfile(im.steps("sha256:1", true))), mounted)
	other, err := newImage(drydock.Runtime{Name: "lab", BaseImage: "debian:12", WorkDir: "/w"}, "arm64")
	is.NoErr(err)
	is.True(other.tag != im.tag)
	_, err = newImage(drydock.Runtime{BaseImage: "x"}, "mips")
	is.Equal(err.Error(), "no guest for linux/mips: there is one for each of [amd64 arm64]")
	files, err := im.buildContext(im.steps("", false))
	is.NoErr(err)
	again, err := im.buildContext(im.steps("", false))
	is.NoErr(err)
	is.True(bytes.Equal(files, again)) // the same definition gives the same bytes
}

func TestProgress(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"legacy":   {"Step 1/2 : FROM x\n ---> abc\nStep 2/2 : RUN y\nok\n", "1/2 FROM x:|1/2 FROM x: ---> abc|2/2 why:|2/2 why:ok"},
		"podman":   {"STEP 1/2: FROM x\nSTEP 2/2: RUN y\n", "1/2 FROM x:|2/2 why:"},
		"BuildKit": {"#1 [internal] load\n#5 [1/2] FROM x\n#6 [2/2] RUN y\n#6 0.1 ok\n", "0/0 :#1 [internal] load|1/2 FROM x:|2/2 why:|2/2 why:#6 0.1 ok"},
		"bars":     {"a 10%\ra 20%\r\x1b[31mred\x1b[0m\n\n", "0/0 :a 10%|0/0 :a 20%|0/0 :red"},
		"no end":   {"tail", "0/0 :tail"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			for _, size := range []int{1, 3, 1000} { // however the output is cut
				var got []string
				p := newProgress("image x", func(e Progress) {
					if !e.Done {
						got = append(got, fmt.Sprintf("%d/%d %s:%s", e.Step, e.Steps, e.Text, e.Line))
					}
				})
				p.steps = []step{{"RUN y", "why"}}
				for part := range slices.Chunk([]byte(test.in), size) {
					n, err := p.Write(part)
					is.NoErr(err)
					is.Equal(n, len(part))
				}
				p.done(nil)
				is.Equal(strings.Join(got, "|"), test.want)
			}
		})
	}
}

func TestPullProgress(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"docker": {"12-slim: Pulling from library/python\naaaaaaaaaaaa: Pulling fs layer\nbbbbbbbbbbbb: Pulling fs layer\n" +
			"aaaaaaaaaaaa: Verifying Checksum\naaaaaaaaaaaa: Download complete\naaaaaaaaaaaa: Pull complete\nbbbbbbbbbbbb: Already exists\nDigest: sha256:1\n",
			"0/0 pull x|0/0 pull x:12-slim: Pulling from library/python|0/1 pull x|0/2 pull x|0/2 pull x:aaaaaaaaaaaa: Verifying Checksum|1/2 pull x|2/2 pull x|2/2 pull x:Digest: sha256:1"},
		"podman": {"Trying to pull x...\nCopying blob sha256:aaaaaaaaaaaaaaaa\nCopying blob sha256:bbbbbbbbbbbbbbbb\nCopying blob sha256:bbbbbbbbbbbbbbbb skipped: already exists\nCopying config sha256:c\n",
			"0/0 pull x|0/0 pull x:Trying to pull x...|0/1 pull x|0/2 pull x|1/2 pull x|2/2 pull x"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var got []string
			p := newProgress("image x", func(e Progress) {
				line := fmt.Sprintf("%d/%d %s", e.Step, e.Steps, e.Text)
				if e.Line != "" {
					line += ":" + e.Line
				}
				got = append(got, line)
			})
			p.pull("x")
			_, err := p.Write([]byte(test.in))
			is.NoErr(err)
			is.Equal(strings.Join(got, "|"), test.want)
		})
	}
}

// However the bytes come, the first and the last are kept, and the rest is counted.
func TestCapture(t *testing.T) {
	is := is.New(t)
	random := rand.New(rand.NewSource(1))
	for range 2000 {
		limit, total := random.Intn(20), random.Intn(60)
		all := make([]byte, total)
		for i := range all {
			all[i] = byte('a' + i%26)
		}
		c := newCapture(limit)
		for rest := all; len(rest) > 0; {
			n := 1 + random.Intn(len(rest))
			c.write(rest[:n])
			rest = rest[n:]
		}
		got, dropped := c.bytes()
		want := string(all)
		if total > limit {
			head, tail := limit/2, limit-limit/2
			want = fmt.Sprintf("%s\n[... %d bytes dropped ...]\n%s", all[:head], total-limit, all[total-tail:])
		}
		is.Equal(string(got), want)
		is.Equal(dropped, int64(max(total-limit, 0)))
	}
}

func TestPrintable(t *testing.T) {
	is := is.New(t)
	is.Equal(printable("a\x1b[2Jb\x07\u009bc\n\td"), "a\uFFFD[2Jb\uFFFD\uFFFDc\n\td")
	is.True(len(printable(strings.Repeat("x", 1<<20))) < 5000)
}

// Every preset yields a Dockerfile, for builders with and without cache mounts, and a tag of
// its own.
func TestPresetsRender(t *testing.T) {
	is := is.New(t)
	tags := make(map[string]string)
	for _, r := range drydock.Presets().All() {
		im, err := newImage(r, "amd64")
		is.NoErr(err)
		is.Equal(tags[im.tag], "")
		tags[im.tag] = r.Name
		packages := 0
		for _, mounts := range []bool{false, true} {
			steps := im.steps("sha256:1", mounts)
			is.Equal(steps[0].instruction, "FROM "+r.Base())
			for _, s := range steps {
				is.True(!strings.Contains(s.instruction, "\n")) // an instruction is a line
				is.Equal(mounts && strings.Contains(s.instruction, installPath+`","`) && !strings.Contains(s.instruction, `"setup"`),
					strings.Contains(s.instruction, "--mount=type=cache"))
				if strings.HasPrefix(s.instruction, "RUN") {
					var args []string
					_, form, ok := strings.Cut(s.instruction, "[")
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

func TestBounded(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	b := &bounded{w: &out, left: 5}
	_, err := b.Write([]byte("12345"))
	is.NoErr(err)
	_, err = b.Write([]byte("6"))
	var e *wire.Error
	is.True(errors.As(err, &e) && e.Code == wire.CodeTooLarge)
	is.Equal(out.String(), "12345")
	is.Equal((&Sandbox{c: &config{Options: Options{Memory: 8 << 30}}}).mostSaved(), int64(8<<30))
	is.Equal((&Sandbox{c: &config{Options: Options{Memory: 1 << 30}}}).mostSaved(), int64(4<<30))
}

// What sed would take for the match is none.
func TestMirrorWithAmpersand(t *testing.T) {
	is := is.New(t)
	o := &BuildOptions{SystemMirror: "https://user:a&b@mirror.example.com/x/"}
	is.NoErr(o.check())
	is.Equal(o.indexes(), `drydock DRYDOCK_MIRROR=https://user:a\&b@mirror.example.com/x`)
}

func TestStaleRoot(t *testing.T) {
	is := is.New(t)
	now := time.Now()
	is.True(staleRoot(ImageInfo{Created: now.Add(-2 * time.Hour)}, now))
	is.True(!staleRoot(ImageInfo{Created: now.Add(-time.Minute)}, now))
	is.True(!staleRoot(ImageInfo{}, now)) // not known
}

// Who waits for another goroutine's build waits as long as its own options say.
func TestBuildTimeoutWhileAnotherBuilds(t *testing.T) {
	is := is.New(t)
	im := &image{tag: "localhost/drydock/runtime/x:1"}
	done, err := builds.acquire(t.Context(), im.tag)
	is.NoErr(err)
	defer done()
	err = im.ensure(t.Context(), &config{Options: Options{Build: &BuildOptions{Timeout: 20 * time.Millisecond}}})
	is.True(err != nil && strings.Contains(err.Error(), "not ready within 20ms"))
}
