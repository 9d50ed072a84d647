// Package tools is what an agent calls: ls, read_file, write_file, edit_file (or
// hashline_edit), glob, grep, execute, background jobs and python on one sandbox, each with
// a JSON Schema, errors that tell a model what to do next, and permissions that are asked
// before anything is done.
//
//	set, err := tools.New(sb, &tools.Options{
//		Permissions: tools.Default(),
//		Ask:         askTheUser, // before anything is written or executed
//	})
//	if err != nil {
//		return err
//	}
//	defer set.Close()
//	for _, t := range set.Tools() {
//		offer(t.Name, t.Description, t.Schema) // to the model
//	}
//	result, err := set.Call(ctx, call.Name, call.Arguments)
//	if err != nil {
//		return err // the sandbox or ctx; what the model can correct is a result
//	}
//	answer(result.Text, result.Images, result.IsError)
//
// # Reading before writing
//
// A Set remembers the SHA-256 of what its agent has read or written. To replace a file
// that exists, or to edit one, it has to have been read, and not to have changed since; so
// two agents, or an agent and a formatter, do not undo each other's work. Calls that
// change one file, under whatever name, wait for each other; others run side by side. An
// edit compares and writes in one step. write_file and hashline_edit do so in two, between
// which a command in the sandbox can write the same file.
//
// # Jobs and Python
//
// start_job starts a command that goes on after the call: a server, a long build.
// job_output returns what it has written since the Set last asked, or waits for a line of
// it; list_jobs and stop_job do what they say. Jobs end with the sandbox and not with the
// Set. Those that another Set or the caller has started are there, too.
//
// python keeps one interpreter for a Set, started by the first call, so that variables last
// from one call to the next; a result says when they are gone. Figures are the Result's
// images, and tables are in its JSON as HTML besides. Close ends the interpreter, which
// otherwise ends with the sandbox.
//
// # Permissions
//
// Rules, of which the first that matches decides, allow, ask about or deny operations by
// path or by command: see Rule. A path is resolved in the sandbox before it is judged, and
// what was resolved is opened, so that "../x", "./x" and a symlink to x are one. grep and
// glob leave out what read denies, and grep does not even say that there was something. ls
// shows names, never contents.
//
// A command is parsed as the shell does, and every program in it has to pass. What depends
// on more than the text is not guessed: substitutions, subshells, control structures,
// assignments, here-documents, and programs that run other programs (sh, env, xargs) are
// asked about, or denied where the default for execute is to deny. Files that a
// redirection opens are subject to the rules of read and write. Where execute is allowed or
// asked about without any rule, nothing is parsed.
//
// Code of python is judged as the command python3 -c CODE, which is a program that runs
// others: a rule that allows it has to be one for python3. Whoever is asked sees the code.
// A job is judged when it is started. One that the Set did not start is subject to the
// same rules when it is read or stopped, and is not listed where they deny its command.
//
// # Trust
//
// The model and what runs in the sandbox are not trusted; the caller, its Ask and the
// sandbox package are. The sandbox is the wall, and permissions are policy inside it: they
// keep an agent that goes astray from what its user does not want, and ask the user
// first. They do not confine programs. A command that is allowed can read and write whatever
// the sandbox's user can, whatever its arguments look like; and between the moment
// in which a path is resolved and that in which it is opened, a command can put a symlink
// in its place. Hard links have no one path either. What must not be reached must not be in
// the sandbox.
//
// What tools return has been made by untrusted programs: text is bounded, valid UTF-8 and,
// of commands, jobs and Python, without escape sequences, but it can hold instructions to
// the model, and HTML what is meant for a browser.
//
// # What it does not do
//
// It speaks to no model and knows no SDK. It keeps no transcript. It writes nothing to the
// stdin of a job or of Python.
package tools
