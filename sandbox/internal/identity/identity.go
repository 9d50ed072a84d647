// Package identity decides who runs inside a sandbox, and claims uids for sandboxes of a
// caller who is root.
package identity

import (
	"fmt"
	"os"

	"github.com/drydock-go/drydock/sandbox/engine"
)

// Identity is who runs inside a container.
type Identity struct {
	User   string // for the engine: uid:gid or a name of the image
	UID    int    // -1 if only the image knows it
	GID    int    // -1 if only the image knows it
	KeepID bool   // rootless podman: the caller has the same uid inside
	// Own: no other sandbox of the host has this uid. Decide leaves the uid to be claimed.
	Own bool
}

// Owner is who owns a file of the host.
type Owner struct{ UID, GID int }

// Host is the caller and the engine, which the choice of an identity depends on.
type Host struct {
	UID, GID int // of this process; -1 on Windows
	Engine   engine.Info
}

// ThisHost is the host of this process.
func ThisHost(info engine.Info) Host {
	return Host{UID: os.Getuid(), GID: os.Getgid(), Engine: info}
}

// Decide is the table "Who runs inside" of package sandbox's documentation. user is the
// one that the caller asked for, or empty. workDir is the owner of a host directory that is
// mounted at the work dir for writing, or of a volume, or nil.
func (h Host) Decide(user string, workDir *Owner) Identity {
	switch {
	case user != "":
		return named(user)
	case h.Engine.Rootless && h.Engine.Name == "podman":
		id := numeric(h.UID, h.GID)
		id.KeepID = true
		return id
	case h.Engine.Rootless:
		// Root inside is the caller outside.
		return numeric(0, 0)
	case h.UID > 0:
		return numeric(h.UID, h.GID)
	case workDir != nil && workDir.UID != 0:
		return numeric(workDir.UID, workDir.GID)
	}
	return Identity{Own: true}
}

func numeric(uid, gid int) Identity {
	return Identity{User: fmt.Sprintf("%d:%d", uid, gid), UID: uid, GID: gid}
}

// named is the identity of a user that the caller named.
func named(user string) Identity {
	var uid, gid int
	if n, _ := fmt.Sscanf(user, "%d:%d", &uid, &gid); n == 2 && fmt.Sprintf("%d:%d", uid, gid) == user {
		return numeric(uid, gid)
	}
	if n, _ := fmt.Sscanf(user, "%d", &uid); n == 1 && fmt.Sprint(uid) == user {
		// A uid alone would run with the group that the image's passwd has for it, else 0.
		return numeric(uid, uid)
	}
	return Identity{User: user, UID: -1, GID: -1}
}

// Claim completes an identity: it claims a uid of the sandbox's own if Decide left that
// open. Of a uid that is in the range of such uids already, as the owner of a work dir from
// before, it takes the claim if nobody has it. Release the claim, which may be nil, when
// the sandbox ends.
func (id Identity) Claim() (Identity, *Claim, error) {
	if !id.Own {
		claim := ClaimKnown(id.UID)
		id.Own = claim != nil
		return id, claim, nil
	}
	claim, err := claimAny()
	if err != nil {
		return Identity{}, nil, err
	}
	id = numeric(claim.uid, claim.uid)
	id.Own = true
	return id, claim, nil
}
