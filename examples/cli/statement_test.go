package main

import (
	"io"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestComplete(t *testing.T) {
	for code, want := range map[string]bool{
		"": true, "x": true, "x = 1": true, "# if x:": true, "x # (": true, "  ": true,
		"f(": false, "f(\n1": false, "f(\n1)": true, "[{": false, "[{\n}\n]": true, "f(\n\n": false, ")": true, "(]": true,
		`"""a`: false, "'''a\n\n": false, "'''a\n'''": true, `"""a"'''`: false, `""`: true, `"("`: true, `r"\"`: true, `r"\`: false,
		"'abc": true, "'a\nf(": false, "'abc\\": false, "'abc\\\ndef'": true, `"a\"("`: true, `f"{x["a"]}"`: true,
		"1 + \\": false, "1 + \\\n2": true, `"""\`: false,
		"if x:": false, "if x:\n  y": false, "if x:\n  y\n": true, "if x: y": false, "if x: y\n": true,
		"if x: # why": false, "if (x\n": false,
		"if x:\n  f(\n":       false,
		"if x:\n  y\nz":       true,
		"if x:\n  y\nelse: z": false, "if x:\n  y\nelse: z\n": true,
		"@a": false, "@a\ndef f(): pass": false, "@a\ndef f(): pass\n": true, "async def f():": false, "class A: pass\n  ": true,
		"match x:": false, "match = 1": true, "iffy = 1": true, "x: int = 1": true, "d = {1:": false, "d[1:]": true,
		"x = 1\ndef f():\n  return 1": false, "def f():\n  return 1\n\nf()": true,
		"lambda x: x": true, "for x in y:\n\n": true, "é = 1": true,
	} {
		t.Run(code, func(t *testing.T) {
			is := is.New(t)
			is.Equal(complete(code), want) // complete
		})
	}
}

func FuzzComplete(f *testing.F) {
	f.Add("if x:\n  '''\\")
	f.Fuzz(func(t *testing.T, code string) { complete(code) })
}

func TestReadStatement(t *testing.T) {
	for name, c := range map[string]struct {
		lines   string // "|" goes before what is pasted
		want    string
		prompts string
	}{
		"a line":             {"x", "x", ">>> "},
		"an empty line":      {"", "", ">>> "},
		"a block":            {"if x:\n  y\n", "if x:\n  y\n", ">>> ... ... "},
		"brackets":           {"f(\n\n)", "f(\n\n)", ">>> ... ... "},
		"pasted":             {"|def f():\n|  x\n|\n|  y\n|\n|f()\n", "def f():\n  x\n\n  y\n\nf()\n", ">>> ... ... ... ... ... ... "},
		"pasted without end": {"|x = 1\nx", "x = 1\nx", ">>> ... "},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			lines, prompts := strings.Split(c.lines, "\n"), ""
			got, err := readStatement(func(prompt string) (string, bool, error) {
				prompts += prompt
				line, pasted := strings.CutPrefix(lines[0], "|")
				lines = lines[1:]
				return line, pasted, nil
			})
			is.NoErr(err)
			is.Equal(got, c.want)        // code
			is.Equal(prompts, c.prompts) // prompts
			is.Equal(lines, []string{})  // not one line more
		})
	}
	is := is.New(t)
	_, err := readStatement(func(string) (string, bool, error) { return "", false, io.EOF })
	is.Equal(err, io.EOF) // ends it
}
