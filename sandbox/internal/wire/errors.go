package wire

import "fmt"

// Error is an operation that failed.
type Error struct {
	Code Code
	// Text is the guest's words, for people.
	Text string
	// Name is the entry of a tree that it is about, or nil.
	Name []byte `json:",omitempty"`
}

func (e *Error) Error() string { return e.Text }

// Errorf returns an Error of a code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Invalid returns an Error of CodeInvalid: an argument that no call can have.
func Invalid(format string, args ...any) *Error { return Errorf(CodeInvalid, format, args...) }

// Code says what kind of error it was, in the same words on every platform.
type Code string

// The codes. The first ones are the errno of the same meaning.
const (
	CodeNotExist    Code = "not_exist"
	CodeExist       Code = "exist"
	CodePermission  Code = "permission"
	CodeReadOnly    Code = "read_only"
	CodeIsDir       Code = "is_dir"
	CodeNotDir      Code = "not_dir"
	CodeNotEmpty    Code = "not_empty"
	CodeNameTooLong Code = "name_too_long"
	CodeLoop        Code = "loop"
	CodeNoSpace     Code = "no_space"
	CodeBusy        Code = "busy"
	CodeCrossDevice Code = "cross_device"
	CodeNotRegular  Code = "not_regular" // a FIFO, a device or a socket where a file was wanted
	CodeTooLarge    Code = "too_large"
	CodeNoMatch     Code = "no_match"
	CodeManyMatches Code = "many_matches"
	CodeChanged     Code = "changed"
	CodeTooLong     Code = "arguments_too_long"
	CodeNoCommand   Code = "command_not_found" // not CodeNotExist, which may be its work dir
	CodeNotExec     Code = "not_executable"
	CodeNoMemory    Code = "no_memory" // or no room for another process
	CodeNoJob       Code = "no_job"
	CodeInvalid     Code = "invalid"
	CodeUnsupported Code = "unsupported"
	CodeAborted     Code = "aborted"
	CodeIO          Code = "io"
)
