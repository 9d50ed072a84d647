// Package tools has the tools that an agent calls on a sandbox: ls, read_file, write_file,
// edit_file (or hashline_edit), glob, grep, execute, background jobs and python. Each has a
// JSON Schema, errors that tell a model what to do next, and permissions that decide about
// every call.
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
//		return err // of the sandbox or ctx; a mistake of the model is a result
//	}
//	answer(result.Text, result.Images, result.IsError)
//
// # Reading before writing
//
// A Set remembers the SHA-256 of the files that its agent has read or written. The agent can
// replace or edit a file that exists only if it has read it, and if the file has not changed
// since; so two agents, or an agent and a formatter, do not undo each other's work. Calls
// that change one file, under whatever name, wait for each other; others run side by side.
// edit_file compares and writes in one step. write_file and hashline_edit take two steps, and
// a command in the sandbox can write the same file in between.
//
// # Jobs and Python
//
// start_job starts a command that goes on after the call: a server, a long build.
// job_output returns the output since its last call, or waits for a line of it; list_jobs
// and stop_job do what their names say. Jobs end with the sandbox and not with the Set. The
// jobs of other Sets and of the caller are listed, too.
//
// python keeps one interpreter for a Set, which the first call starts. So variables last from
// one call to the next; if they are gone, a result says so. Figures are images of the Result;
// its JSON has tables as HTML besides. Close ends the interpreter, which otherwise ends with
// the sandbox.
//
// # Permissions
//
// Rules allow, ask about or deny operations by path or by command, and the first that matches
// decides: see Rule. A path is resolved in the sandbox before the rules judge it, and the
// resolved path is opened, so that "../x", "./x" and a symlink to x are one file. grep and
// glob leave out files that the rules for read deny, and grep does not even say that there
// are any. ls shows names, never contents.
//
// A command is parsed as the shell does, and every program in it has to be allowed. The
// meaning of some commands depends on more than their text: substitutions, subshells, control
// structures, assignments, here-documents, and programs that run other programs (sh, env,
// xargs). These are asked about, or denied if the default for execute is to deny. Files of
// redirections are subject to the rules for read and write. If no rule is for execute, and it
// is allowed or asked about, nothing is parsed.
//
// Code of python is judged as the command python3 -c CODE. That runs other programs, so only a
// rule for python3 can allow it. Whoever is asked sees the code. A job is judged when it is
// started. If the Set did not start it, reading and stopping it are subject to the same
// rules, and it is not listed if they deny its command.
//
// # Trust
//
// The model and the programs in the sandbox are not trusted; the caller, its Ask and package
// sandbox are. The sandbox is the wall, and permissions are policy inside it: they keep an
// agent that goes astray from acts that its user does not want, or ask the user first. They
// do not confine programs. A command that is allowed can read and write whatever the
// sandbox's user can, whatever its arguments look like. After a path is resolved, and before
// it is opened, a command can put a symlink in its place. A file with hard links has several
// paths. So a file that must not be reached must not be in the sandbox.
//
// Untrusted programs have made the results. Their text is bounded and valid UTF-8, and that
// of commands, jobs and Python has no escape sequences; but it can hold instructions to the
// model, and HTML can hold scripts for a browser.
//
// # What it does not do
//
// The package calls no model and knows no SDK. It keeps no transcript. It writes nothing to
// the stdin of a job or of Python.
package tools
