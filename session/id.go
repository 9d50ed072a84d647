package session

import "fmt"

// maxID is the largest number of bytes in an id. The name of a container, which has at most
// 128, then has room for a prefix.
const maxID = 64

// checkID refuses a text that is no session id, before it becomes part of a path, a name or
// a line of a log. It compares bytes, because the "$" of a regular expression would let a
// newline at the end through.
func checkID(id string) error {
	bad := func(problem string) error {
		return fmt.Errorf("%w: %s: write 1 to %d ASCII letters, digits, '.', '_' and '-', beginning with a letter or digit",
			ErrInvalidID, problem, maxID)
	}
	switch {
	case id == "":
		return bad("it is empty")
	case len(id) > maxID:
		return bad(fmt.Sprintf("it has %d bytes", len(id)))
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c != '.' && c != '_' && c != '-':
			return bad(fmt.Sprintf("it has the byte %q", string(rune(c))))
		case i == 0:
			return bad(fmt.Sprintf("it begins with %q", string(rune(c))))
		}
	}
	return nil
}
