// Package session keeps one sandbox for each of many users: a Manager opens it at the first
// Get of an id, returns the same one to every later Get of that id, and ends it when it is
// released or has been idle for long.
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
//	// For each request, with the id of the user in the application:
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
// Call Get for every request or turn and use the sandbox that it returns; do not keep it.
// Get tells the manager that the session is wanted, and it replaces a sandbox that has died.
// A death is noticed when the connection to the container breaks, up to a tenth of a second
// later. Until then Get returns the dead sandbox, whose operations fail with
// sandbox.ErrLost; the next Get replaces it. Closing the sandbox itself releases the session.
//
// A session is in use while an operation of its sandbox is under way, such as a command,
// however long that runs. It has been idle since the last Get or the end of the last
// operation, whichever is later, and is released at the first sweep that finds it idle for
// IdleTimeout. An operation that begins at that very moment fails with sandbox.ErrClosed.
//
// # Room
//
// Max bounds all sandboxes, not only those that are ready: a session takes room before its
// sandbox is opened, and gives it back when the container is gone. A Get that finds no room
// fails with ErrFull at once, or waits in line for as long as GetOptions.Wait says.
//
// # Workspaces
//
// With a WorkspaceRoot the work dir of a session is the host directory <root>/<id>, which
// outlives the session: the next one of that id finds its files, also after a sandbox died.
// The directory is made with mode 0700. Its owner is the user in the table of package
// sandbox: if the caller is root, a uid of the workspace's own, which is chosen at its first
// use. From then on every manager on this root takes the uid from the directory's owner. A
// directory put there by hand must belong to the uid that shall work in it. Without a
// WorkspaceRoot the files of a session end with it.
//
// A session that is opened on a snapshot fills an empty workspace from it. A workspace that
// has files keeps them, and nothing of the snapshot's work dir is put beside them.
//
// Ids that differ in case are two sessions. If the workspace root's file system takes their
// names for one, the second of them is refused with ErrInvalidID.
//
// # Trust
//
// Whoever knows an id gets its sandbox and its files: derive it from the user who is logged
// in, never from the text of a request. Code in a sandbox is not trusted (see package
// sandbox), and sees nothing of another session: neither its files, its processes nor its
// network. Only the caller's host user may be able to write to the workspace root; New
// refuses a root that everybody may write to. Once a session has used a workspace, its files
// are hostile input to programs on the host: open them through an os.Root, which symlinks do
// not lead out of.
//
// # What it does not do
//
// It does not authenticate users, and does not bound the size of a workspace. A manager knows
// only its own sessions: two managers with one WorkspaceRoot open two sandboxes on one
// directory for the same id. Sandboxes end with the host process, however that ends; the
// next process does not take them over.
package session
