package session

import "fmt"

// maxID is how many bytes an id has at most. It leaves room for what may be put before it
// in the name of a container, which has 128.
const maxID = 64

// checkID refuses what is no session id, before it is part of a path, a name or a line of
// a log. A byte loop and no pattern: "$" would let a newline at the end through.
func checkID(id string) error {
	bad := func(why string) error {
		return fmt.Errorf("%w: %s: write 1 to %d ASCII letters, digits, '.', '_' and '-', beginning with a letter or digit",
			ErrInvalidID, why, maxID)
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
