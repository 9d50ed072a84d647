package tools

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

// anchorOf returns the anchor of a line of a file's text.
func anchorOf(text string, n int) string {
	return strings.Fields(showAnchor(n, strings.Split(text, "\n")[n-1]))[0]
}

func showAnchor(n int, line string) string {
	c := &call{Set: &Set{o: Options{HashLine: true}}}
	return c.line(n, []byte(line), true)
}

func TestHashLineRead(t *testing.T) {
	is := is.New(t)
	s := newSet(t, NewFake(map[string]string{"a": "one\n\none"}), &Options{HashLine: true})
	is.Equal(use(t, s, "read_file", object{"path": "a"}).Text, "     1:a3c8\tone\n     2:1cd9\t\n     3:a3c8\tone")
}

func TestHashLineEdit(t *testing.T) {
	const text = "one\ntwo\nthree\nfour\nfive\n"
	at := func(n int) string { return anchorOf(text, n) }
	for _, test := range []struct {
		name  string
		text  string
		edits []object
		want  string
	}{
		{"replace", text, []object{{"op": "replace", "anchor": at(2), "text": "2"}}, "one\n2\nthree\nfour\nfive\n"},
		{"replace by more", text, []object{{"op": "replace", "anchor": at(2), "text": "2\n2b\n"}}, "one\n2\n2b\nthree\nfour\nfive\n"},
		{"replace by an empty line", text, []object{{"op": "replace", "anchor": at(2), "text": ""}}, "one\n\nthree\nfour\nfive\n"},
		{"replace a range", text, []object{{"op": "replace", "anchor": at(2), "end_anchor": at(4), "text": "x"}}, "one\nx\nfive\n"},
		{"delete", text, []object{{"op": "delete", "anchor": at(1), "end_anchor": at(2)}}, "three\nfour\nfive\n"},
		{"delete the last", text, []object{{"op": "delete", "anchor": at(5)}}, "one\ntwo\nthree\nfour\n"},
		{"insert", text, []object{{"op": "insert_after", "anchor": at(5), "text": "six"}}, text + "six\n"},
		{"insert at the beginning", text, []object{{"op": "insert_after", "anchor": "0", "text": "zero"}}, "zero\n" + text},
		{"several in any order", text, []object{
			{"op": "insert_after", "anchor": at(4), "text": "4b"},
			{"op": "delete", "anchor": at(1)},
			{"op": "replace", "anchor": at(4), "text": "4"},
			{"op": "insert_after", "anchor": at(4), "text": "4c"},
		}, "two\nthree\n4\n4b\n4c\nfive\n"},
		{"no end at the end", "one\ntwo", []object{{"op": "insert_after", "anchor": at(2), "text": "three"}}, "one\ntwo\nthree"},
		{"delete the one without an end", "one\ntwo", []object{{"op": "delete", "anchor": at(2)}}, "one"},
		{"CRLF", "one\r\ntwo\r\n", []object{{"op": "replace", "anchor": anchorOf("one\r\n", 1), "text": "1\n1b"}}, "1\r\n1b\r\ntwo\r\n"},
		{"empty file", "", []object{{"op": "insert_after", "anchor": "0", "text": "a\nb"}}, "a\nb\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			sb := NewFake(map[string]string{"a": test.text})
			s := newSet(t, sb, &Options{Permissions: Permissive(), HashLine: true})
			use(t, s, "read_file", object{"path": "a"})
			r := use(t, s, "hashline_edit", object{"path": "a", "edits": test.edits})
			is.Equal(sb.Get("a"), test.want)
			is.True(!r.IsError)
		})
	}
}

func TestHashLineRefused(t *testing.T) {
	const text = "one\ntwo\nthree\n"
	at := func(n int) string { return anchorOf(text, n) }
	for _, test := range []struct {
		name  string
		edits []object
		want  string
	}{
		{"stale", []object{{"op": "replace", "anchor": "2:0000", "text": "x"}, {"op": "delete", "anchor": at(1)}},
			"nothing was edited in a\nedits[0]: anchor 2:0000 is stale: line 2 is now " + at(2) +
				"\nThe lines are now:\n     1:a3c8\tone\n" + showAnchor(2, "two") + "\n" + showAnchor(3, "three") + "\n[check these lines, and call hashline_edit again with their anchors]"},
		{"past the end", []object{{"op": "delete", "anchor": "9:0000"}},
			"nothing was edited in a\nedits[0]: anchor 9:0000: the file has 3 lines\nThe lines are now:\n     1:a3c8\tone\n" + showAnchor(2, "two") + "\n" + showAnchor(3, "three") + "\n[check these lines, and call hashline_edit again with their anchors]"},
		{"no anchor", []object{{"op": "delete", "anchor": "two"}}, "nothing was edited in a\nedits[0]: anchor \"two\" is not an anchor: write number:hash as read_file shows it, such as 12:a1b2"},
		{"0 for another op", []object{{"op": "delete", "anchor": "0"}}, "nothing was edited in a\nedits[0]: anchor \"0\" is not an anchor: write number:hash as read_file shows it, such as 12:a1b2"},
		{"no text", []object{{"op": "insert_after", "anchor": "0"}}, "nothing was edited in a\nedits[0]: parameter \"text\" is missing: give the new lines as a string"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			sb := NewFake(map[string]string{"a": text})
			s := newSet(t, sb, &Options{Permissions: Permissive(), HashLine: true})
			use(t, s, "read_file", object{"path": "a"})
			r := use(t, s, "hashline_edit", object{"path": "a", "edits": test.edits})
			is.Equal(r.Text, test.want)
			is.True(r.IsError)
			is.Equal(sb.Get("a"), text)
		})
	}
	for name, edits := range map[string][]object{
		"overlap":              {{"op": "delete", "anchor": at(1), "end_anchor": at(2)}, {"op": "replace", "anchor": at(2), "text": "x"}},
		"insert into a range":  {{"op": "delete", "anchor": at(1), "end_anchor": at(3)}, {"op": "insert_after", "anchor": at(1), "text": "x"}},
		"backwards":            {{"op": "delete", "anchor": at(2), "end_anchor": at(1)}},
		"end of an insertion":  {{"op": "insert_after", "anchor": at(2), "end_anchor": at(3), "text": "x"}},
		"text of a deletion":   {{"op": "delete", "anchor": at(2), "text": "x"}},
		"nothing would change": {{"op": "replace", "anchor": at(2), "text": "two"}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			sb := NewFake(map[string]string{"a": text})
			s := newSet(t, sb, &Options{Permissions: Permissive(), HashLine: true})
			use(t, s, "read_file", object{"path": "a"})
			is.True(use(t, s, "hashline_edit", object{"path": "a", "edits": edits}).IsError)
			is.Equal(sb.Get("a"), text)
		})
	}
}

// An edit of a range whose lines have changed is refused, although both anchors match. The
// lines are shown, so that the next call can be right.
func TestHashLineStaleFile(t *testing.T) {
	is := is.New(t)
	sb := NewFake(map[string]string{"a": "one\ntwo\nthree\n"})
	s := newSet(t, sb, &Options{Permissions: Permissive(), HashLine: true})
	use(t, s, "read_file", object{"path": "a"})
	sb.Put("a", "one\nanother's\nthree\n")
	edit := object{"path": "a", "edits": []object{{"op": "delete", "anchor": anchorOf("one", 1), "end_anchor": anchorOf("\n\nthree", 3)}}}
	r := use(t, s, "hashline_edit", edit)
	is.True(r.IsError)
	is.True(strings.HasPrefix(r.Text, "a has changed since you read it: nothing was edited\nThe lines are now:\n"))
	is.True(strings.Contains(r.Text, "\tanother's\n"))
	is.Equal(sb.Get("a"), "one\nanother's\nthree\n")
	is.True(!use(t, s, "hashline_edit", edit).IsError) // now it is known
	is.Equal(sb.Get("a"), "")
}

// A file is not known if nothing of it was shown: write_file could replace it unseen.
func TestHashLineStaleUnseen(t *testing.T) {
	is := is.New(t)
	sb := NewFake(map[string]string{"a": "one\n"})
	s := newSet(t, sb, &Options{Permissions: Permissive(), HashLine: true})
	use(t, s, "read_file", object{"path": "a"})
	sb.Put("a", "another's\n")
	edit := object{"path": "a", "edits": []object{{"op": "insert_after", "anchor": "0", "text": "x"}}}
	for range 2 {
		r := use(t, s, "hashline_edit", edit)
		is.True(r.IsError)
		is.Equal(r.Text, "a has changed since you read it: nothing was edited\n[read it again with read_file]")
	}
	is.True(use(t, s, "write_file", object{"path": "a", "content": ""}).IsError)
	is.Equal(sb.Get("a"), "another's\n")
	use(t, s, "read_file", object{"path": "a"})
	is.True(!use(t, s, "hashline_edit", edit).IsError)
	is.Equal(sb.Get("a"), "x\nanother's\n")
}
