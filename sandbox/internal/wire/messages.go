package wire

// Paths, arguments and environment entries are []byte, base64 in JSON: they may hold
// bytes that are not UTF-8, which JSON strings would silently replace.

// HostHello is the host's first frame.
type HostHello struct {
	Major, Minor int
	// Nonce is repeated by the guest: it tells the guest's first frame from text that
	// something else printed.
	Nonce string
	// Dir is the directory that relative paths and commands start in.
	Dir []byte
	// Env is added to the image's environment for every command, as KEY=VALUE.
	Env [][]byte
	// Again: the host comes back, and Dir and Env stay as they are.
	Again bool `json:",omitempty"`
	// Procs bounds the processes and threads of the user that all jobs run as, who is the
	// sandbox's own; 0 is no bound but that of the container.
	Procs int64 `json:",omitempty"`
}

// GuestHello is the guest's first frame, sent when it is ready for calls.
type GuestHello struct {
	Major, Minor int
	Nonce        string
	UID, GID     int
	Dir          []byte
}

// CallStreams is how many stream numbers a call takes, beginning with its own.
const CallStreams = 3

// Op is what a call asks for: the first byte of its payload.
type Op byte

// The operations.
const (
	OpExec      Op = iota + 1 // Exec -> Exited
	OpRead                    // Read -> nothing; bytes on the call's stream
	OpWrite                   // Write -> Written; bytes on the call's stream
	OpStat                    // Path -> FileInfo
	OpReadDir                 // Path -> nothing; one JSON FileInfo a line on the call's stream
	OpMkdir                   // Mkdir -> nothing
	OpRemove                  // Remove -> nothing
	OpRename                  // Rename -> nothing
	OpReadLines               // ReadLines -> LinesRead; bytes on the call's stream
	OpEdit                    // Edit -> Edited
	OpRealPath                // Path -> Path
	OpGlob                    // Glob -> Searched; FileInfos as of AppendFileInfo on the call's stream
	OpGrep                    // Grep -> Searched; GrepLines as of AppendGrepLine on the call's stream
	OpStats                   // nothing -> Stats
	OpJobStart                // JobStart -> Job
	OpJobs                    // nothing -> nothing; one JSON Job a line on the call's stream
	OpJobRead                 // JobRead -> JobReadDone; bytes on the call's stream
	OpJobWait                 // JobWait -> JobWaited
	OpJobSignal               // JobSignal -> nothing
	OpJobStop                 // JobStop -> Job

	OpMultiEdit // MultiEdit -> Edited
	OpChmod     // Chmod -> nothing
	OpChtimes   // Chtimes -> nothing
	OpSymlink   // Symlink -> nothing
	OpReadlink  // Path -> Path
	OpHash      // Path -> Hashed
	OpUsage     // Path -> Usage
	OpWalk      // Walk -> nothing; one JSON WalkEntry a line on the call's stream
	OpWatch     // Watch -> nothing; one JSON Change a line on the call's stream, until it is canceled
	OpPack      // Pack -> Packed; a tar archive on the call's stream
	OpUnpack    // Unpack -> nothing; a tar archive on the call's stream
	OpDial      // Dial -> nothing; the connection's bytes on the call's stream
	OpReset     // Reset -> nothing
)

// Exec starts a program. The call's stream carries stdin to it and stdout from it, the
// stream of the next number stderr, and the one after that what goes through its control
// socket.
type Exec struct {
	Path  []byte   // looked up in the command's PATH where it has no slash
	Args  [][]byte // Args[0] included
	Env   [][]byte `json:",omitempty"` // KEY=VALUE, over the sandbox's
	Dir   []byte   `json:",omitempty"`
	Stdin bool     `json:",omitempty"` // without it stdin is /dev/null
	Join  bool     `json:",omitempty"` // stderr goes where stdout goes
	// Control gives it a stream socket as descriptor 3.
	Control bool `json:",omitempty"`
	// Terminal makes stdin, stdout and stderr one pseudo-terminal of that size.
	Terminal *Size `json:",omitempty"`
	// Limits are resource limits of its processes.
	Limits []Limit `json:",omitempty"`
	// MaxOutput is how many bytes it may write to stdout and stderr before it is ended; 0
	// is no limit.
	MaxOutput int64 `json:",omitempty"`
	// Timeout in nanoseconds starts the ladder TERM, Grace, KILL; 0 is no limit.
	Timeout int64 `json:",omitempty"`
	Grace   int64
}

// Size is that of a terminal, in characters.
type Size struct{ Rows, Cols uint16 }

// Limit is a resource limit: the name as in setrlimit(2), in small letters and without
// RLIMIT_. -1 is unlimited.
type Limit struct {
	Name       string
	Soft, Hard int64
}

// Cancel ends a job as a timeout does.
type Cancel struct {
	// Now leaves out TERM and the grace.
	Now bool `json:",omitempty"`
}

// Signal asks for a signal to the job's process group, or for another size of its terminal.
type Signal struct {
	Number int   `json:",omitempty"`
	Size   *Size `json:",omitempty"`
}

// Exited is how a command ended.
type Exited struct {
	// Code is the exit code, -1 where a signal ended the command.
	Code int
	// Signal is the number of the signal that ended it, or 0.
	Signal int `json:",omitempty"`
	// TimedOut, Canceled and OutputExceeded say why the ladder was climbed; Rung is how far:
	// term or kill.
	TimedOut       bool   `json:",omitempty"`
	Canceled       bool   `json:",omitempty"`
	OutputExceeded bool   `json:",omitempty"`
	Rung           string `json:",omitempty"`
	// OutOfMemory: it died as the kernel makes processes die to get memory back, and the
	// kernel did so while it ran. Others: so did another job, which may have been the one.
	OutOfMemory bool `json:",omitempty"`
	Others      bool `json:",omitempty"`
	// Unread: output was dropped because its reader had left, or did not take it in time.
	Unread bool `json:",omitempty"`
	// Times in nanoseconds; Peak in bytes, 0 where it is not known.
	Elapsed, User, System int64
	Peak                  int64
}

// JobStart starts a command that outlives the call. Exec.Join is implied.
type JobStart struct {
	Exec
	Name string `json:",omitempty"`
	Keep int    // bytes of output
}

// Job describes a background job.
type Job struct {
	ID       int
	Name     string `json:",omitempty"`
	Args     [][]byte
	PID      int
	Started  int64   // nanoseconds since 1970
	Exited   *Exited `json:",omitempty"` // nil while it runs
	Terminal bool    `json:",omitempty"`
	// First is the offset of the oldest byte of output that is kept, Next that of the
	// byte after the newest.
	First, Next int64
}

// JobRead asks for the output of a job from an offset on; where that is no longer kept,
// from the oldest byte that is.
type JobRead struct {
	ID   int
	From int64
	// Follow goes on to the job's end.
	Follow bool `json:",omitempty"`
	// Input: the call's stream carries the job's stdin, whose end closes it.
	Input bool `json:",omitempty"`
}

// JobReadDone ends a read of a job's output.
type JobReadDone struct {
	Next int64 // the offset after the last byte sent; those before it may have gone
	Job  Job
}

// JobWait waits for the end of a job, or for a line of its output that a regular
// expression matches, from an offset on.
type JobWait struct {
	ID      int
	Pattern []byte `json:",omitempty"`
	From    int64  `json:",omitempty"`
}

// JobWaited ends a wait.
type JobWaited struct {
	Job   Job
	Found bool   `json:",omitempty"`
	Line  []byte `json:",omitempty"` // without its end
	Next  int64  `json:",omitempty"` // the offset after the line
}

// JobSignal sends a signal to a job, or changes the size of its terminal.
type JobSignal struct {
	ID int
	Signal
}

// JobStop ends a job by the ladder and waits for its end.
type JobStop struct {
	ID    int
	Grace int64 // nanoseconds; 0 is KILL at once
}

// Reset ends every command and job, with all they started, and empties directories, but
// for what is mounted in them.
type Reset struct {
	Dirs [][]byte
}

// Stats are the container's figures. What cannot be read is -1, a limit that is none 0.
type Stats struct {
	Memory, MemoryLimit int64 // bytes, without the page cache that can be dropped
	PIDs, PIDsLimit     int64
	CPU                 int64 // nanoseconds of all processes since the start
	Elapsed             int64 // nanoseconds since the start
	DiskUsed, DiskSize  int64 // bytes of the file system of the work dir
}

// The status byte of a reply.
const (
	StatusOK    byte = iota // the operation's JSON follows
	StatusError             // JSON Error follows
)
