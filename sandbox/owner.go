package sandbox

import (
	"context"
	"errors"
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
// directory that is mounted at the work dir for writing, or of a volume, or nil.
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
func (c *config) settle(ctx context.Context, info EngineInfo) (identity, *uidClaim, error) {
	source, owner, unlock, err := c.mountedWorkDir()
	if err != nil {
		return identity{}, nil, err
	}
	defer unlock()
	if owner == nil || owner.uid == 0 {
		// The owner of a volume is on its label: its files are the engine's to see.
		volume, err := c.findVolumes(ctx)
		if err != nil {
			return identity{}, nil, err
		}
		if volume != nil {
			owner = volume
		}
	}
	id := host{uid: os.Getuid(), gid: os.Getgid(), engine: info}.decide(c.User, owner)
	var claim *uidClaim
	if !id.own {
		claim = claimKnown(id.uid)
		id.own = claim != nil
	} else {
		if claim, err = claimUID(); err != nil {
			return identity{}, nil, err
		}
		id.uid, id.gid = claim.uid, claim.uid
		id.user = fmt.Sprintf("%d:%d", id.uid, id.gid)
	}
	if err := giveWorkDir(source, id); err != nil {
		claim.release()
		return identity{}, nil, err
	}
	return id, claim, nil
}

// giveWorkDir gives a work dir of root's that is empty to the user of the sandbox, once:
// from then on its owner says who runs there. One with files in it is left as it is.
func giveWorkDir(source string, id identity) error {
	if source == "" || os.Getuid() != 0 || id.uid <= 0 {
		return nil
	}
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if owner := ownerOf(info); owner == nil || owner.uid != 0 {
		return nil
	}
	if entries, err := os.ReadDir(source); err != nil || len(entries) > 0 {
		return err
	}
	return os.Chown(source, id.uid, id.gid)
}

// mountedWorkDir returns the host directory that is mounted at the work dir for writing,
// and its owner. Until unlock no other sandbox that is opened on this host looks at it, so
// two that are opened at once find the same owner.
func (c *config) mountedWorkDir() (source string, owner *fileOwner, unlock func(), err error) {
	for _, m := range c.Mounts {
		if m.Target != path.Clean(c.WorkDir) || m.ReadOnly || m.volume() {
			continue
		}
		if unlock, err = lockDir(m.Source); err != nil {
			return "", nil, nil, err
		}
		st, err := os.Stat(m.Source)
		if err != nil {
			unlock()
			return "", nil, nil, err
		}
		return m.Source, ownerOf(st), unlock, nil
	}
	return "", nil, func() {}, nil
}

// findVolumes asks the engine for the volumes that are mounted for writing: the owner of
// the first that Drydock made, and which of them do not exist yet.
func (c *config) findVolumes(ctx context.Context) (owner *fileOwner, err error) {
	for _, m := range c.Mounts {
		if !m.volume() || m.ReadOnly {
			continue
		}
		labels, err := c.Engine.VolumeLabels(ctx, m.Source)
		if errors.Is(err, ErrNoVolume) {
			c.newVolumes = append(c.newVolumes, m.Source)
			continue
		}
		if err != nil {
			return nil, err
		}
		var o fileOwner
		if n, _ := fmt.Sscanf(labels[LabelUser], "%d:%d", &o.uid, &o.gid); n == 2 && owner == nil {
			owner = &o
		}
	}
	return owner, nil
}

// makeVolumes makes those that did not exist, for the user who will write to them.
func (c *config) makeVolumes(ctx context.Context, image string, id identity) error {
	for len(c.newVolumes) > 0 && id.uid >= 0 {
		name := c.newVolumes[0]
		labels := map[string]string{
			LabelFormat: labelFormat, LabelKind: "volume",
			LabelUser: fmt.Sprintf("%d:%d", id.uid, id.gid),
		}
		if err := c.Engine.CreateVolume(ctx, name, labels, image, id.uid, id.gid); err != nil {
			return err
		}
		c.newVolumes = c.newVolumes[1:]
	}
	return nil
}
