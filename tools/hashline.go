package tools

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// mostEdits is how many edits one call makes.
	mostEdits = 200
	// around is how many lines are shown before and after a place.
	around = 3
)

func hashlineTool() Tool {
	return Tool{
		Name: "hashline_edit", op: OpEdit, Destructive: true, run: (*call).hashline,
		Description: "Change lines of a file that was read before. Lines are named by the anchors that read_file shows, such as 12:a1b2. All edits are made, or none where one of the anchors is not true any more. All anchors are those of before the call. What follows is the changed parts of the file with their new anchors.",
		params: []param{
			{name: "path", kind: "string", about: "The file, absolute or relative to the work dir.", want: "the file's path", required: true, min: 1},
			{name: "edits", kind: "array", about: "The edits, which must not overlap.", want: "the edits", required: true, min: 1, max: mostEdits, items: []param{
				{name: "op", kind: "string", about: "replace: the lines from anchor to end_anchor by text; insert_after: text after the line of anchor; delete: the lines from anchor to end_anchor.", required: true, enum: []string{"replace", "insert_after", "delete"}},
				{name: "anchor", kind: "string", about: "The first line, as number:hash. For insert_after, 0 is the beginning of the file.", want: "an anchor such as 12:a1b2", required: true, min: 1},
				{name: "end_anchor", kind: "string", about: "The last line, as number:hash. Default: the line of anchor.", want: "an anchor such as 14:c3d4", min: 1},
				{name: "text", kind: "string", about: "The new lines, without numbers and hashes; a line end at its end is not needed. For replace, empty text is one empty line.", want: "the new lines", max: maxEdit, nul: true},
			}},
		},
	}
}

// lineHash is FNV-1a of a line without its "\n", folded to 16 bits: enough to notice that
// a line is another, not to keep somebody from making one of the same hash.
func lineHash[T string | []byte](line T) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(line))
	sum := h.Sum32()
	return fmt.Sprintf("%04x", (sum>>16^sum)&0xffff)
}

// lineEdit replaces the lines from first to last, numbered from 1, by text. Where last is
// first-1, it inserts before first.
type lineEdit struct {
	first, last int
	text        []string
}

var anchorSyntax = regexp.MustCompile(`^([0-9]{1,9}):([0-9a-f]{4})$`)

func (c *call) hashline(ctx context.Context) (*Result, error) {
	name := c.args.str("path")
	real, unlock, err := c.target(ctx, name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	data, err := c.sb.ReadFile(ctx, real, nil)
	if err != nil {
		return nil, c.failure(ctx, name, err)
	}
	known, now := c.known(real), fileHash(data)
	if known == "" {
		return nil, stop(unread, show(name), "edit it")
	}
	lines := splitLines(string(data))
	edits, problems, places := c.lineEdits(lines)
	if known != now || len(problems) > 0 {
		return nil, c.staleAnchors(ctx, name, real, known != now, now, lines, problems, places)
	}
	edited, spots := applyEdits(lines, edits)
	content := strings.Join(edited, "")
	if content == string(data) {
		return nil, stop("the edits leave %s as it is: nothing was changed", show(name))
	}
	if len(content) > maxContent {
		return nil, stop("%s would have %d bytes with these edits, and at most %d can be written: nothing was changed", show(name), len(content), maxContent)
	}
	w, err := c.sb.WriteFile(ctx, real, []byte(content), nil)
	if err != nil {
		return nil, c.failure(ctx, name, err)
	}
	c.remember(real, fileHash([]byte(content)))
	p := c.pages()
	fmt.Fprintf(p, "edited %s: %s%s\n", show(name), plural(len(edits), "edit", "edits"), inPlace(w.InPlace))
	if c.readable(ctx, real) {
		c.showPlaces(p, edited, spots)
	}
	return &Result{Text: p.text(), JSON: structured(struct {
		Path  string `json:"path"`
		Edits int    `json:"edits"`
		Total int    `json:"total_lines"`
		Hash  string `json:"sha256"`
	}{clean(real), len(edits), len(edited), fileHash([]byte(content))})}, nil
}

// splitLines returns lines with their ends.
func splitLines(text string) []string {
	return slices.Collect(strings.Lines(text))
}

// lineEdits checks the arguments against the lines there are. places are the ranges that
// the anchors are about, to be shown where something is wrong.
func (c *call) lineEdits(lines []string) (edits []lineEdit, problems []string, places [][2]int) {
	eol := "\n"
	if len(lines) > 0 && strings.HasSuffix(lines[0], "\r\n") {
		eol = "\r\n"
	}
	for i, e := range c.args.list("edits") {
		// A sentence that begins with the edit it is about.
		problem := func(format string, args ...any) {
			problems = append(problems, fmt.Sprintf("edits[%d]: ", i)+fmt.Sprintf(format, args...))
		}
		anchor := func(name string) (int, bool) {
			given := e.str(name)
			if given == "0" || strings.HasPrefix(given, "0:") {
				if e.str("op") == "insert_after" && name == "anchor" {
					return 0, true
				}
			}
			m := anchorSyntax.FindStringSubmatch(given)
			if m == nil {
				problem("%s %q is not an anchor: write number:hash as read_file shows it, such as 12:a1b2", name, cutText(given, 50))
				return 0, false
			}
			n, _ := strconv.Atoi(m[1])
			if n < 1 || n > len(lines) {
				problem("%s %s: the file has %s", name, given, plural(len(lines), "line", "lines"))
				places = append(places, [2]int{len(lines), len(lines)})
				return n, false
			}
			places = append(places, [2]int{n, n})
			if now := lineHash(strings.TrimSuffix(lines[n-1], "\n")); now != m[2] {
				problem("%s %s is stale: line %d is now %d:%s", name, given, n, n, now)
				return n, false
			}
			return n, true
		}
		op, text, hasText := e.str("op"), e.str("text"), e["text"] != nil
		first, ok := anchor("anchor")
		last := first
		if e["end_anchor"] != nil {
			if op == "insert_after" {
				problem("insert_after takes no end_anchor: leave it out")
				ok = false
			} else {
				end, endOK := anchor("end_anchor")
				last, ok = end, ok && endOK
			}
		}
		switch {
		case op == "delete" && hasText && text != "":
			problem("delete takes no text: use replace to put something in its place")
		case op != "delete" && !hasText:
			problem(`parameter "text" is missing: give the new lines as a string`)
		case ok && last < first:
			problem("end_anchor %d is before anchor %d: give the first line as anchor", last, first)
		case ok:
			if last > first {
				places = append(places, [2]int{first, last})
			}
			if op == "insert_after" {
				first = last + 1
			}
			edit := lineEdit{first: first, last: last}
			if op != "delete" {
				for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
					edit.text = append(edit.text, strings.TrimSuffix(line, "\r")+eol)
				}
			}
			edits = append(edits, edit)
		}
	}
	slices.SortStableFunc(edits, func(a, b lineEdit) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last))
	})
	for i := 1; i < len(edits); i++ {
		if a, b := edits[i-1], edits[i]; b.first <= a.last {
			problems = append(problems, fmt.Sprintf("two edits overlap at line %d: make one of them", b.first))
		}
	}
	return edits, problems, places
}

// applyEdits returns the lines with the edits made, and where those are now.
func applyEdits(lines []string, edits []lineEdit) (edited []string, places [][2]int) {
	ended := len(lines) == 0 || strings.HasSuffix(lines[len(lines)-1], "\n")
	eol := "\n"
	if len(lines) > 0 && strings.HasSuffix(lines[0], "\r\n") {
		eol = "\r\n"
	}
	next := 1
	for _, e := range edits {
		edited = append(edited, lines[next-1:e.first-1]...)
		places = append(places, [2]int{len(edited) + 1, len(edited) + len(e.text)})
		edited = append(edited, e.text...)
		next = e.last + 1
	}
	edited = append(edited, lines[next-1:]...)
	// A file of which the last line has no end keeps it so, whatever is the last line now.
	for i := range edited {
		if i < len(edited)-1 && !strings.HasSuffix(edited[i], "\n") {
			edited[i] += eol
		}
	}
	if n := len(edited); n > 0 && !ended {
		edited[n-1] = strings.TrimSuffix(strings.TrimSuffix(edited[n-1], "\n"), "\r")
	}
	return edited, places
}

// staleAnchors says which anchors do not hold, and shows the lines as they are. The agent
// then knows the file as it is now, and can make the edits again with what it was shown.
func (c *call) staleAnchors(ctx context.Context, name, real string, changed bool, now string, lines, problems []string, places [][2]int) error {
	p := c.pages()
	if changed {
		fmt.Fprintf(p, "%s has changed since you read it: nothing was edited\n", show(name))
	} else {
		fmt.Fprintf(p, "nothing was edited in %s\n", show(name))
	}
	for _, problem := range problems {
		p.add(problem)
	}
	readable := c.readable(ctx, real)
	if len(places) > 0 && readable {
		p.add("The lines are now:")
		if !c.showPlaces(p, lines, places) {
			changed = false // not all of it was seen
			p.WriteString("[not all of the lines are shown: use read_file]\n")
		} else {
			p.WriteString("[check these lines, and call hashline_edit again with their anchors]\n")
		}
	}
	if changed && readable {
		c.remember(real, now)
	}
	return &stopped{&Result{Text: p.text(), IsError: true}}
}

// showPlaces shows ranges of lines with some around them, and reports whether there was
// room for all.
func (c *call) showPlaces(p *pages, lines []string, places [][2]int) bool {
	slices.SortFunc(places, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
	last := 0
	for _, place := range places {
		from, to := max(place[0]-around, 1), min(max(place[1], place[0])+around, len(lines))
		if from > last+1 && last > 0 {
			p.add("   ...")
		}
		for n := max(from, last+1); n <= to; n++ {
			if !p.add(c.line(n, []byte(strings.TrimSuffix(lines[n-1], "\n")), true)) {
				return false
			}
			last = n
		}
	}
	return true
}
