package tools

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

// No control sequence reaches the model, and none takes text with it.
func TestPlain(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing to remove", "a b\tc\n", "a b\tc\n"},
		{"line ends", "a\r\nb\n", "a\nb\n"},
		{"carriage return alone", "10%\r20%\n", "10%\r20%\n"},
		{"colour", "\x1b[1;31mred\x1b[0m", "red"},
		{"CSI without parameters", "\x1b[Ka\x1b[H", "a"},
		{"CSI with private parameters", "\x1b[?25la\x1b[>4;2m", "a"},
		{"CSI with colons", "\x1b[38:2::255:0:0ma", "a"},
		{"CSI with an intermediate byte", "\x1b[4 qa", "a"},
		{"CSI that ends with @", "\x1b[3@a", "a"},
		{"CSI that ends with ~", "\x1b[200~a\x1b[201~", "a"},
		{"CSI without an end", "a\x1b[31", "a31"},
		{"CSI broken by a line end", "\x1b[3\n1m", "3\n1m"},
		{"OSC with BEL", "\x1b]0;title\aa", "a"},
		{"OSC with ST", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"},
		{"OSC across lines", "\x1b]0;a\nb\ac", "c"},
		{"OSC without an end", "a\x1b]0;title", "a"},
		{"OSC ended by another sequence", "\x1b]0;title\x1b[1ma", "a"},
		{"DCS", "\x1bP1$r0m\x1b\\a", "a"},
		{"SOS", "\x1bXtext\x1b\\a", "a"},
		{"PM", "\x1b^text\x1b\\a", "a"},
		{"APC", "\x1b_Gi=1;AAAA\x1b\\a", "a"},
		{"character set", "\x1b(Ba\x1b)0", "a"},
		{"two characters", "\x1b7a\x1b8\x1bc\x1bM\x1b=\x1b>", "a"},
		{"escape alone", "a\x1b", "a"},
		{"escape twice", "\x1b\x1b[31ma", "a"},
		{"escape before a letter that is no sequence", "\x1b\u00e9", "\u00e9"},
		{"C1 controls", "a\u009b31mb\u0085", "a31mb"},
		{"C1 byte", "a\x9b31m", "a\uFFFD31m"},
		{"C0 controls", "a\x00\a\b\v\f\x0e\x1fb\x7f", "ab"},
		{"no UTF-8", "caf\xe9", "caf\uFFFD"},
		{"sequence that hides another", "\x1b[3\x1b[31m1ma", "31ma"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			got := plain(test.text)
			is.Equal(got, test.want)
			is.True(!strings.Contains(got, "\x1b"))
		})
	}
}

func TestShow(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"plain", "a b.txt", "a b.txt"},
		{"letters", "café", "café"},
		{"empty", "", `""`},
		{"line end", "a\nb", `"a\nb"`},
		{"escape", "\x1b[2J", `"\x1b[2J"`},
		{"no UTF-8", "\xff", `"\xff"`},
		{"direction", "a\u202eb", `"a\u202eb"`},
		{"long", strings.Repeat("é", 501), strings.Repeat("é", 500) + "..."},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(show(test.text), test.want)
		})
	}
}

func TestModelPath(t *testing.T) {
	for _, test := range []struct{ name, workDir, path, want string }{
		{"below the work dir", "/workspace", "/workspace/a/b", "a/b"},
		{"the work dir", "/workspace", "/workspace", "/workspace"},
		{"beside it", "/workspace", "/workspaces/a", "/workspaces/a"},
		{"elsewhere", "/workspace", "/etc/passwd", "/etc/passwd"},
		{"root as the work dir", "/", "/a", "/a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(modelPath(test.workDir, test.path), test.want)
		})
	}
}
