package tools

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

// format shows parsed commands: words in <>, open ones in «», then redirections.
func format(commands []simpleCommand) string {
	var lines []string
	for _, c := range commands {
		var parts []string
		for _, w := range c.words {
			if w.open {
				parts = append(parts, "«"+w.text+"»")
			} else {
				parts = append(parts, "<"+w.text+">")
			}
		}
		for _, r := range c.redirects {
			if r.write {
				parts = append(parts, "> "+r.path)
			} else {
				parts = append(parts, "< "+r.path)
			}
		}
		lines = append(lines, strings.Join(parts, " "))
	}
	return strings.Join(lines, "; ")
}

func TestParseCommand(t *testing.T) {
	for _, test := range []struct{ command, want string }{
		{`git status`, `<git> <status>`},
		{`a;b&&c||d|e&f`, `<a>; <b>; <c>; <d>; <e>; <f>`},
		{"a\nb\n\n", `<a>; <b>`},
		{"a;\nb &", `<a>; <b>`},
		{"a \\\n b", `<a> <b>`},
		{`echo 'a;b' "c && d" e\;f`, `<echo> <a;b> <c && d> <e;f>`},
		{`r'm' -r"f" \x`, `<rm> <-rf> <x>`},
		{`echo "\$x \" \n \\"`, `<echo> <$x " \n \>`},
		{`echo '' ""`, `<echo> <> <>`},
		{`echo $HOME "${X}" $1 $?`, `<echo> «$HOME» «${X}» «$1» «$?»`},
		{`echo cost: 5$ '$(x)'`, `<echo> <cost:> <5$> <$(x)>`},
		{`ls *.go a? [ab] {a,b} ~/x PATH=~ a~`, `<ls> «*.go» «a?» «[ab]» «{a,b}» «~/x» «PATH=~» <a~>`},
		{`ls "*.go" \*`, `<ls> <*.go> <*>`},
		{`make 2>&1 >out.log <in >>log`, `<make> > out.log < in > log`},
		{`x 2>/dev/null 3>&- >|y z`, `<x> <z> > /dev/null > y`},
		{`x a2>y`, `<x> <a2> > y`},
		{`x "2">y`, `<x> <2> > y`},
		{`x<>y`, `<x> > y`},
		{"a # b; c\nd", `<a>; <d>`},
		{`a#b`, `<a#b>`},
		{`echo ! then`, `<echo> <!> <then>`},
		{`"if" x`, `<if> <x>`},
		{"caf\xc3\xa9 \xff", "<caf\xc3\xa9> <\xff>"},
	} {
		t.Run(test.command, func(t *testing.T) {
			is := is.New(t)
			commands, err := parseCommand(test.command)
			is.NoErr(err)
			is.Equal(format(commands), test.want)
		})
	}
}

func TestParseCommandRefuses(t *testing.T) {
	for command, want := range map[string]string{
		"":                          "there is no command in it",
		"# all":                     "there is no command in it",
		"echo $(rm x)":              "a command substitution $(",
		`echo "$(rm x)"`:            "a command substitution $(",
		"echo `rm x`":               "a command substitution (`)",
		"echo \"`rm x`\"":           "a command substitution (`)",
		"echo ${x:=$(rm)}":          "a parameter expansion ${",
		"echo $((1+1))":             "a command substitution $(",
		"echo $'a'":                 "$'",
		"(rm x)":                    "a parenthesis (a subshell or a function)",
		"f() { rm x; }":             "a parenthesis (a subshell or a function)",
		"{ rm x; }":                 "the reserved word {",
		"if true; then rm x; fi":    "the reserved word if",
		"a; for i in x; do y; done": "the reserved word for",
		"! rm":                      "the reserved word !",
		"[[ a ]]":                   "the reserved word [[",
		"PATH=/tmp git status":      "an assignment of a variable",
		"A+=1":                      "an assignment of a variable",
		"$X y":                      "a program whose name is not known beforehand ($X)",
		"/bin/r? x":                 "a program whose name is not known beforehand (/bin/r?)",
		"'' x":                      "a program with an empty name",
		"cat <<EOF\nx\nEOF":         "<< (a here-document or process substitution)",
		"diff <(a) b":               "<( (a here-document or process substitution)",
		"a > $X":                    "a redirection to $X, a file whose name is not known beforehand",
		"a >":                       "a redirection without a file",
		"a > > b":                   "a redirection without a file",
		"> x":                       "a redirection without a command",
		"a >&b":                     ">&b",
		"a &> b":                    "the operator &>",
		"a |& b":                    "the operator |&",
		"a;;b":                      "the operator ;;",
		"&& a":                      "an operator without a command before it",
		"a | | b":                   "an operator without a command before it",
		"echo 'a":                   "a ' without its end",
		`echo "a`:                   `a " without its end`,
		`echo \`:                    "a backslash at the end",
	} {
		t.Run(command, func(t *testing.T) {
			is := is.New(t)
			_, err := parseCommand(command)
			is.True(err != nil)
			is.Equal(err.Error(), want)
		})
	}
}

// Whatever is parsed has a program, and no separator is left in it that was not quoted.
func FuzzParseCommand(f *testing.F) {
	for _, text := range []string{"a;b", `"a\"b"`, "x 2>&1 | y", "a # b\nc", "a \\\n b", "$(x)", "'", "{a,b}", "2>x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		commands, err := parseCommand(text)
		if err != nil {
			return
		}
		if len(commands) == 0 {
			t.Fatal("nothing parsed without an error")
		}
		quoted := strings.ContainsAny(text, `'"\`)
		for _, c := range commands {
			if len(c.words) == 0 || c.words[0].text == "" {
				t.Fatalf("a command without a program: %s", format(commands))
			}
			for _, w := range c.words {
				if !quoted && strings.ContainsAny(w.text, " \t\n;&|<>()`") {
					t.Fatalf("%q is a word of %q", w.text, text)
				}
			}
		}
	})
}
