// Package session keeps one sandbox for each of many users: a Manager opens it when an id
// is first asked for, gives the same one to whoever asks for that id again, and ends it
// when it is released or has been idle for long.
//
//	manager, err := session.New(&session.Options{
//		Sandbox:       sandbox.Options{Runtime: "python-datascience", Memory: 512 << 20},
//		WorkspaceRoot: "/srv/workspaces",
//		Max:           100,
//	})
//	if err != nil {
//		return err
//	}
//	defer manager.Close()
//
//	// For each request, with the id that the application knows its user by:
//	sb, err := manager.Get(ctx, user, nil)
//	if errors.Is(err, session.ErrFull) {
//		return errBusy // 100 users are at work
//	}
//	if err != nil {
//		return err
//	}
//	result, err := sb.Exec(ctx, "python3 main.py")
//
// # Use
//
// Call Get for every request or turn and use what it returns; do not keep it. A sandbox
// that has died in the meantime is replaced then, and Get is what tells the manager that
// the session is wanted. A death is known when the connection to the container breaks, up to a
// tenth of a second after it; until then Get returns the dead one, whose operations fail with
// sandbox.ErrLost, and the Get after that replaces it. Closing the sandbox itself releases the
// session.
//
// A session is in use while an operation of its sandbox is under way, such as a command
// that runs, however long. It is idle since the later of the end of the last one and the
// last Get, and is released at the first sweep that finds it idle for IdleTimeout. An
// operation that begins at that very moment, on a sandbox got that long ago, fails with
// sandbox.ErrClosed.
//
// # Room
//
// Max bounds the sandboxes there are, and not only those that are ready: room is taken
// before a sandbox is opened and given back when its container is gone. A Get that finds
// none fails with ErrFull at once, or waits in line as GetOptions.Wait says.
//
// # Workspaces
//
// With a WorkspaceRoot the work dir of a session is the host directory <root>/<id>, which
// outlives it: the next session of that id finds its files, also after a sandbox died. It
// is made with mode 0700 and belongs to the user that the table of package sandbox names;
// where the caller is root that is a uid of its own, chosen when it is first used, and from
// then on its owner is the record that every manager on this root goes by. A directory put
// there by hand has to belong to the uid that is to work in it. Without a WorkspaceRoot the
// files of a session end with it.
//
// A session that is opened on a snapshot fills an empty workspace from it. A workspace that
// has files keeps them, and nothing of the snapshot's work dir is put beside them.
//
// Ids that differ in case are two sessions. Where the workspace root's file system takes
// their names for one, the second of them is refused with ErrInvalidID.
//
// # Trust
//
// Whoever knows an id gets its sandbox and its files: derive it from who is logged in, never
// from what a request says. The sandbox's contents are not trusted (see package sandbox), and
// see nothing of another session: neither its files, its processes nor its network. The
// workspace root must be writable to the caller's host user alone; one that others may write
// to is refused. A workspace that a session has used is hostile input to whatever reads it on
// the host: open it with os.Root, which symlinks do not lead out of.
//
// # What it does not do
//
// It does not authenticate, and does not bound what a workspace may grow to. It knows of its
// own sessions alone: two managers that have one WorkspaceRoot and one id open two sandboxes on
// one directory. Its sandboxes end with the host process, however that ends, and are not taken
// over by the next.
package session
