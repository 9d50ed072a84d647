package drydock

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrUnknownRuntime is what errors.Is finds when a name is in no file of the catalogue.
var ErrUnknownRuntime = errors.New("unknown runtime")

// Error is one thing that is wrong with a runtime or with a file of runtimes. Functions of this
// package that find several return them joined, in the order of their lines.
type Error struct {
	File    string // the overlay file; empty for a runtime made in Go
	Line    int    // its line, from 1; 0 when there is none to name
	Runtime string // the runtime's name, or empty when the error is not about one
	Field   string // the key by its path in the file, such as "packages.pip[0]", or empty
	Message string // what is wrong and what to write instead
	Err     error  // the cause, or nil
}

// Error returns "FILE:LINE: runtime "NAME": FIELD: MESSAGE" less the parts that are empty.
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

// maxErrors is how many errors of one file are shown: past it the file is not what it should be
// at all, and a reader is not helped by the rest.
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

// quote is %q for text that may be as long as a whole file.
func quote(s string) string {
	const most = 80
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q...", s[:cut])
}

// at is the path of what a mapping holds under key, by which Error.Field names it.
func at(field, key string) string {
	if !plainKey.MatchString(key) {
		key = quote(key)
	}
	return field + "." + key
}

var plainKey = form(`[A-Za-z0-9_./:@+-]{1,80}`)

// unknown says that word is none of known, which it lists, and names the one likely meant.
func unknown(what, word string, known []string) string {
	const most = 50 // names to list
	list := strings.Join(known[:min(most, len(known))], ", ")
	if more := len(known) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf("unknown %s %s; did you mean %q? Known: %s", what, quote(word), near, list)
	}
	return fmt.Sprintf("unknown %s %s; known: %s", what, quote(word), list)
}

// nearest returns the entry of known that word is most likely a misspelling of, or "".
func nearest(word string, known []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, k := range known {
		// The difference in length is a lower bound, which spares the work on long words.
		if abs(len(word)-len(k)) >= least {
			continue
		}
		if d := distance(word, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the bytes to insert, drop or change to make b of a.
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
