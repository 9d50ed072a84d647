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
	// maxEdits bounds the edits of one call.
	maxEdits = 200
	// around is how many lines are shown before and after a place.
	around = 3
)

const hashlineDescription = "Change lines of a file that was read before. Lines are named by the anchors that " +
	"read_file shows, such as 12:a1b2. Either all edits are made, or none if an anchor does not match its line " +
	"any more. All anchors are those from before the call. The result shows the changed parts of the file with " +
	"their new anchors."

func hashlineTool() Tool {
	return Tool{
		Name: "hashline_edit", op: OpEdit, Destructive: true, run: (*call).hashline, Description: hashlineDescription,
		params: []param{
			filePath,
			{name: "edits", kind: "array", required: true, min: 1, max: maxEdits,
				about: "The edits, which must not overlap.", want: "the edits", items: []param{
					{name: "op", kind: "string", required: true, enum: []string{opReplace, opInsertAfter, opDelete},
						about: "replace: the lines from anchor to end_anchor by text; insert_after: text after the line of anchor; " +
							"delete: the lines from anchor to end_anchor."},
					{name: "anchor", kind: "string", required: true, min: 1, want: "an anchor such as 12:a1b2",
						about: "The first line, as number:hash. For insert_after, 0 is the beginning of the file."},
					{name: "end_anchor", kind: "string", min: 1, want: "an anchor such as 14:c3d4",
						about: "The last line, as number:hash. Default: the line of anchor."},
					{name: "text", kind: "string", max: maxEdit, nul: true, want: "the new lines",
						about: "The new lines, without numbers and hashes; a line end at its end is not needed. " +
							"For replace, empty text is one empty line."},
				}},
		},
	}
}

// The values of op.
const (
	opReplace     = "replace"
	opInsertAfter = "insert_after"
	opDelete      = "delete"
)

// lineHash returns the FNV-1a hash of a line without its "\n", folded to 16 bits. That is
// enough to notice that a line has changed, but anybody can make a line of the same hash.
func lineHash[T string | []byte](line T) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(line))
	sum := h.Sum32()
	return fmt.Sprintf("%04x", (sum>>16^sum)&0xffff)
}

// lineRange is a range of lines, numbered from 1. If last is first-1 it is the place before
// first.
type lineRange struct{ first, last int }

// lineEdit puts text, which is whole lines, in the place of a range of lines.
type lineEdit struct {
	lineRange
	text []string
}

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
		return nil, unread(show(name), "edit it")
	}
	k := editChecker{lines: slices.Collect(strings.Lines(string(data)))}
	for i, e := range c.args.list("edits") {
		k.check(i, e)
	}
	k.sort()
	if known != now || len(k.problems) > 0 {
		return nil, c.staleAnchors(ctx, name, real, known, now, &k)
	}
	edited, changed := applyEdits(k.lines, k.edits)
	content := strings.Join(edited, "")
	if content == string(data) {
		return nil, stop("the edits leave %s as it is: nothing was changed", show(name))
	}
	if len(content) > maxContent {
		return nil, stop("%s would have %d bytes with these edits, and at most %d can be written: nothing was changed",
			show(name), len(content), maxContent)
	}
	w, err := c.sb.WriteFile(ctx, real, []byte(content), nil)
	if err != nil {
		return nil, c.failure(ctx, name, err)
	}
	c.remember(real, fileHash([]byte(content)))
	p := c.page()
	fmt.Fprintf(p, "edited %s: %s%s\n", show(name), plural(len(k.edits), "edit", "edits"), inPlace(w.InPlace))
	if c.readable(ctx, real) {
		c.showRanges(p, edited, changed)
	}
	return &Result{Text: p.text(), JSON: structured(struct {
		Path  string `json:"path"`
		Edits int    `json:"edits"`
		Total int    `json:"total_lines"`
		Hash  string `json:"sha256"`
	}{clean(real), len(k.edits), len(edited), fileHash([]byte(content))})}, nil
}

// lineEnd returns the end of a file's lines.
func lineEnd(lines []string) string {
	if len(lines) > 0 && strings.HasSuffix(lines[0], "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// editChecker compares the edits of a call with the lines of a file.
type editChecker struct {
	lines    []string
	edits    []lineEdit
	problems []string    // sentences for the model
	anchored []lineRange // the lines that anchors name, to be shown with the problems
}

// problem notes what is wrong with an edit.
func (k *editChecker) problem(edit int, format string, args ...any) {
	k.problems = append(k.problems, fmt.Sprintf("edits[%d]: ", edit)+fmt.Sprintf(format, args...))
}

// check adds an edit, or the problems with it.
func (k *editChecker) check(i int, e values) {
	op, text, hasText := e.str("op"), e.str("text"), e["text"] != nil
	first, ok := k.anchor(i, e, "anchor")
	last := first
	switch {
	case e["end_anchor"] == nil:
	case op == opInsertAfter:
		k.problem(i, "insert_after takes no end_anchor: leave it out")
		ok = false
	default:
		end, endOK := k.anchor(i, e, "end_anchor")
		last, ok = end, ok && endOK
	}
	switch {
	case op == opDelete && hasText && text != "":
		k.problem(i, "delete takes no text: use replace to put something in its place")
		return
	case op != opDelete && !hasText:
		k.problem(i, `parameter "text" is missing: give the new lines as a string`)
		return
	case ok && last < first:
		k.problem(i, "end_anchor %d is before anchor %d: give the first line as anchor", last, first)
		return
	case !ok:
		return
	}
	if last > first {
		k.anchored = append(k.anchored, lineRange{first, last})
	}
	if op == opInsertAfter {
		first = last + 1
	}
	edit := lineEdit{lineRange: lineRange{first, last}}
	if op != opDelete {
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			edit.text = append(edit.text, strings.TrimSuffix(line, "\r")+lineEnd(k.lines))
		}
	}
	k.edits = append(k.edits, edit)
}

var anchorSyntax = regexp.MustCompile(`^([0-9]{1,9}):([0-9a-f]{4})$`)

// anchor returns the number of the line that an edit's anchor names. ok reports whether the
// line still has its hash.
func (k *editChecker) anchor(i int, e values, name string) (line int, ok bool) {
	given := e.str(name)
	if name == "anchor" && e.str("op") == opInsertAfter && (given == "0" || strings.HasPrefix(given, "0:")) {
		return 0, true
	}
	m := anchorSyntax.FindStringSubmatch(given)
	if m == nil {
		k.problem(i, "%s %q is not an anchor: write number:hash as read_file shows it, such as 12:a1b2", name, cutText(given, 50))
		return 0, false
	}
	n, _ := strconv.Atoi(m[1])
	if n < 1 || n > len(k.lines) {
		k.problem(i, "%s %s: the file has %s", name, given, plural(len(k.lines), "line", "lines"))
		k.anchored = append(k.anchored, lineRange{len(k.lines), len(k.lines)})
		return n, false
	}
	k.anchored = append(k.anchored, lineRange{n, n})
	if now := lineHash(strings.TrimSuffix(k.lines[n-1], "\n")); now != m[2] {
		k.problem(i, "%s %s is stale: line %d is now %d:%s", name, given, n, n, now)
		return n, false
	}
	return n, true
}

// sort puts the edits in the order of their lines, and notes those that overlap.
func (k *editChecker) sort() {
	slices.SortStableFunc(k.edits, func(a, b lineEdit) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last))
	})
	for i := 1; i < len(k.edits); i++ {
		if a, b := k.edits[i-1], k.edits[i]; b.first <= a.last {
			k.problems = append(k.problems, fmt.Sprintf("two edits overlap at line %d: make one of them", b.first))
		}
	}
}

// applyEdits returns the lines after the edits, which are sorted, and the ranges that the new
// lines have there.
func applyEdits(lines []string, edits []lineEdit) (edited []string, changed []lineRange) {
	ended := len(lines) == 0 || strings.HasSuffix(lines[len(lines)-1], "\n")
	next := 1
	for _, e := range edits {
		edited = append(edited, lines[next-1:e.first-1]...)
		changed = append(changed, lineRange{len(edited) + 1, len(edited) + len(e.text)})
		edited = append(edited, e.text...)
		next = e.last + 1
	}
	edited = append(edited, lines[next-1:]...)
	// If the last line of the file had no end, the last line has none now, whichever it is.
	for i := range edited {
		if i < len(edited)-1 && !strings.HasSuffix(edited[i], "\n") {
			edited[i] += lineEnd(lines)
		}
	}
	if n := len(edited); n > 0 && !ended {
		edited[n-1] = strings.TrimSuffix(strings.TrimSuffix(edited[n-1], "\n"), "\r")
	}
	return edited, changed
}

// staleAnchors is the error for edits that cannot be made. It says which anchors do not match,
// and shows their lines as they are. If it shows all of them the agent knows the file as it
// is now, and can make the edits again with what it was shown.
func (c *call) staleAnchors(ctx context.Context, name, real, known, now string, k *editChecker) error {
	p := c.page()
	if known != now {
		fmt.Fprintf(p, "%s has changed since you read it: nothing was edited\n", show(name))
	} else {
		fmt.Fprintf(p, "nothing was edited in %s\n", show(name))
	}
	for _, problem := range k.problems {
		p.add(problem)
	}
	if !c.readable(ctx, real) {
		return &stopped{&Result{Text: p.text(), IsError: true}}
	}
	if len(k.anchored) == 0 {
		if known != now {
			p.WriteString("[read it again with read_file]\n")
		}
		return &stopped{&Result{Text: p.text(), IsError: true}}
	}
	p.add("The lines are now:")
	if c.showRanges(p, k.lines, k.anchored) {
		p.WriteString("[check these lines, and call hashline_edit again with their anchors]\n")
		c.remember(real, now)
	} else {
		p.WriteString("[not all of the lines are shown: use read_file]\n")
	}
	return &stopped{&Result{Text: p.text(), IsError: true}}
}

// showRanges adds ranges of lines, with some lines around each, to a page. It reports whether
// there was room for all.
func (c *call) showRanges(p *page, lines []string, ranges []lineRange) bool {
	slices.SortFunc(ranges, func(a, b lineRange) int { return cmp.Compare(a.first, b.first) })
	last := 0
	for _, r := range ranges {
		from, to := max(r.first-around, 1), min(max(r.last, r.first)+around, len(lines))
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
