package sandbox

import (
	"fmt"
	"os"
	"path"
)

// identity is who runs inside a container.
type identity struct {
	user     string // for --user
	uid, gid int    // of the tmpfs mounts; -1 where only the image knows them
	keepID   bool   // rootless podman
	own      bool   // a uid of the sandbox's own is to be claimed
}

// host is what the choice of an identity depends on.
type host struct {
	uid, gid int // of this process; -1 on Windows
	engine   EngineInfo
}

// decide is the table of the package documentation. workDir is the owner of a host
// directory that is mounted at the work dir for writing, or nil.
func (h host) decide(user string, workDir *fileOwner) identity {
	numeric := func(uid, gid int) identity {
		return identity{user: fmt.Sprintf("%d:%d", uid, gid), uid: uid, gid: gid}
	}
	switch {
	case user != "":
		return explicit(user)
	case h.engine.Rootless && h.engine.Name == "podman":
		id := numeric(h.uid, h.gid)
		id.keepID = true
		return id
	case h.engine.Rootless:
		// Root inside is the caller outside.
		return numeric(0, 0)
	case h.uid > 0:
		return numeric(h.uid, h.gid)
	case workDir != nil && workDir.uid != 0:
		return numeric(workDir.uid, workDir.gid)
	}
	return identity{own: true}
}

func explicit(user string) identity {
	var uid, gid int
	id := identity{user: user, uid: -1, gid: -1}
	if n, _ := fmt.Sscanf(user, "%d:%d", &uid, &gid); n == 2 && fmt.Sprintf("%d:%d", uid, gid) == user {
		id.uid, id.gid = uid, gid
	} else if n, _ := fmt.Sscanf(user, "%d", &uid); n == 1 && fmt.Sprint(uid) == user {
		// A uid alone would run with the group the image's passwd has for it, else 0.
		id.user, id.uid, id.gid = fmt.Sprintf("%d:%d", uid, uid), uid, uid
	}
	return id
}

// fileOwner is who owns a file on the host.
type fileOwner struct{ uid, gid int }

// settle fixes who runs in a sandbox of this configuration, and claims a uid of its own
// where the table says so. The claim is nil otherwise; release it when the sandbox ends.
func (c *config) settle(info EngineInfo) (identity, *uidClaim, error) {
	var source string
	var owner *fileOwner
	for _, m := range c.Mounts {
		if m.Target == path.Clean(c.WorkDir) && !m.ReadOnly && !m.volume() {
			source = m.Source
			st, err := os.Stat(source)
			if err != nil {
				return identity{}, nil, err
			}
			owner = ownerOf(st)
		}
	}
	id := host{uid: os.Getuid(), gid: os.Getgid(), engine: info}.decide(c.User, owner)
	if !id.own {
		return id, nil, nil
	}
	claim, err := claimUID()
	if err != nil {
		return identity{}, nil, err
	}
	id.uid, id.gid = claim.uid, claim.uid
	id.user = fmt.Sprintf("%d:%d", id.uid, id.gid)
	if owner != nil {
		// A work dir of root's that is empty is given to the sandbox, once: from then on
		// its owner says who runs there. One with files in it is left as it is.
		if entries, err := os.ReadDir(source); err == nil && len(entries) == 0 {
			if err := os.Chown(source, id.uid, id.gid); err != nil {
				claim.release()
				return identity{}, nil, err
			}
		}
	}
	return id, claim, nil
}
