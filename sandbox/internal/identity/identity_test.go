package identity

import (
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/engine"
)

// The table in the package documentation of sandbox.
func TestWhoRunsInside(t *testing.T) {
	docker := engine.Info{Name: "docker"}
	podman := engine.Info{Name: "podman"}
	rootlessDocker := engine.Info{Name: "docker", Rootless: true}
	rootlessPodman := engine.Info{Name: "podman", Rootless: true}
	roots, users := &Owner{0, 0}, &Owner{1000, 100}
	for _, test := range []struct {
		name    string
		uid     int
		engine  engine.Info
		user    string
		workDir *Owner
		want    Identity
	}{
		{"user set", 0, docker, "7:8", users, Identity{User: "7:8", UID: 7, GID: 8}},
		{"uid set", 0, docker, "7", nil, Identity{User: "7:7", UID: 7, GID: 7}},
		{"name set", 0, docker, "www-data", nil, Identity{User: "www-data", UID: -1, GID: -1}},
		{"name and group set", 0, docker, "www-data:7", nil, Identity{User: "www-data:7", UID: -1, GID: -1}},
		{"user set, rootless", 1000, rootlessPodman, "7:8", nil, Identity{User: "7:8", UID: 7, GID: 8}},
		{"rootless podman", 1000, rootlessPodman, "", roots, Identity{User: "1000:1001", UID: 1000, GID: 1001, KeepID: true}},
		{"rootless docker", 1000, rootlessDocker, "", users, Identity{User: "0:0"}},
		{"docker as a user", 1000, docker, "", users, Identity{User: "1000:1001", UID: 1000, GID: 1001}},
		{"podman as root", 0, podman, "", nil, Identity{Own: true}},
		{"docker as root", 0, docker, "", nil, Identity{Own: true}},
		{"docker as root, work dir of a user's", 0, docker, "", users, Identity{User: "1000:100", UID: 1000, GID: 100}},
		{"docker as root, work dir of root's", 0, docker, "", roots, Identity{Own: true}},
		{"docker on Windows", -1, docker, "", nil, Identity{Own: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			gid := 0
			if test.uid == 1000 {
				gid = 1001
			}
			is.Equal(Host{UID: test.uid, GID: gid, Engine: test.engine}.Decide(test.user, test.workDir), test.want)
		})
	}
}
