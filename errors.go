package drydock

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrUnknownRuntime is what errors.Is finds if the catalogue has no runtime of a name.
var ErrUnknownRuntime = errors.New("unknown runtime")

// Error is one mistake in a runtime or in a file of runtimes. Functions of this package that find
// several return them joined, in the order of their lines.
type Error struct {
	File    string // the overlay file; empty for a runtime made in Go
	Line    int    // its line, from 1; 0 if no line is known
	Runtime string // the runtime's name; empty if the error is not about one
	Field   string // the key by its path in the file, such as "packages.pip[0]", or empty
	Message string // what is wrong and what to write instead
	Err     error  // the cause, or nil
}

// Error returns "FILE:LINE: runtime "NAME": FIELD: MESSAGE" without the parts that are empty.
func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", e.File, e.Line)
	case e.File != "":
		fmt.Fprintf(&b, "%s: ", e.File)
	}
	if e.Runtime != "" {
		fmt.Fprintf(&b, "runtime %s: ", quote(e.Runtime))
	}
	if e.Field != "" {
		fmt.Fprintf(&b, "%s: ", e.Field)
	}
	b.WriteString(e.Message)
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// maxErrors is how many errors of one file are shown. A file with more is probably another kind
// of file, and the rest would not help its reader.
const maxErrors = 50

// join returns errs, which all concern one file or one runtime, as one error, or nil.
func join(errs []*Error) error {
	slices.SortStableFunc(errs, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	if more := len(errs) - maxErrors; more > 0 {
		errs = append(errs[:maxErrors:maxErrors], &Error{
			File: errs[0].File, Message: fmt.Sprintf("and %d more errors", more),
		})
	}
	all := make([]error, len(errs))
	for i, e := range errs {
		all[i] = e
	}
	return errors.Join(all...)
}

// quote is %q for text that may be as long as a whole file: it shows the first 80 bytes.
func quote(s string) string {
	const maxQuoted = 80
	if len(s) <= maxQuoted {
		return fmt.Sprintf("%q", s)
	}
	cut := maxQuoted
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q...", s[:cut])
}

// at returns the path, for Error.Field, of the value that the mapping field holds under key.
func at(field, key string) string {
	if !plainKey.MatchString(key) {
		key = quote(key)
	}
	return field + "." + key
}

var plainKey = form(`[A-Za-z0-9_./:@+-]{1,80}`)

// unknown is the message for a word of some kind that is not known. It lists the known words and
// names the one that was probably meant.
func unknown(kind, word string, known []string) string {
	const maxListed = 50
	list := strings.Join(known[:min(maxListed, len(known))], ", ")
	if more := len(known) - maxListed; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf("unknown %s %s; did you mean %q? Known: %s", kind, quote(word), near, list)
	}
	return fmt.Sprintf("unknown %s %s; known: %s", kind, quote(word), list)
}

// nearest returns the known word that the given one is probably a misspelling of, or "" if they
// all differ in more than a third of it.
func nearest(word string, known []string) string {
	best, bound := "", max(1, len(word)/3)+1
	for _, k := range known {
		// The difference in length is a lower bound, which saves work on long words.
		if abs(len(word)-len(k)) >= bound {
			continue
		}
		if d := distance(word, k); d < bound {
			best, bound = k, d
		}
	}
	return best
}

// distance counts the bytes to insert, delete or change to turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func abs(n int) int { return max(n, -n) }
