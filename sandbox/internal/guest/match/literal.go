package match

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// texts are literal texts. One of them has to occur. With fold they are in lower case here, and
// ASCII letters match in either case.
type texts struct {
	any  []string
	fold bool
}

// knowledge is what the form of an expression says about its matches.
type knowledge struct {
	all   *texts // the expression matches these and nothing else; or nil
	plain bool   // and it matches each wherever it occurs
	one   *texts // each match holds one of these; or nil
}

const (
	maxTexts = 16 // that are looked for one beside the other
	maxText  = 256
)

// required returns texts that each match of an expression holds one of, or nil. whole says that
// each occurrence of one is a match.
func required(re *syntax.Regexp) (t *texts, whole bool) {
	k := know(re.Simplify())
	if t = cheaper(k.all, k.one); t == nil || slices.Contains(t.any, "") {
		return nil, false
	}
	whole = k.plain && t == k.all
	// A text that holds another one is found with that.
	t.any = slices.DeleteFunc(slices.Clone(t.any), func(long string) bool {
		return slices.ContainsFunc(t.any, func(s string) bool { return len(s) < len(long) && strings.Contains(long, s) })
	})
	return t, whole
}

func know(re *syntax.Regexp) knowledge {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return knowledge{all: &texts{any: []string{""}}, plain: true}
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return knowledge{all: &texts{any: []string{""}}}
	case syntax.OpLiteral:
		return knowLiteral(re.Rune, re.Flags&syntax.FoldCase != 0)
	case syntax.OpCharClass:
		var t texts
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if t.any = append(t.any, string(r)); len(t.any) > maxTexts/2 || special(r) {
					return knowledge{}
				}
			}
		}
		if len(t.any) == 0 {
			return knowledge{} // matches nothing
		}
		return knowledge{all: &t, plain: true}
	case syntax.OpCapture:
		return know(re.Sub[0])
	case syntax.OpQuest:
		if k := know(re.Sub[0]); k.all != nil {
			return knowledge{all: either(k.all, &texts{any: []string{""}}, true), plain: k.plain}
		}
	case syntax.OpPlus:
		k := know(re.Sub[0])
		return knowledge{one: cheaper(k.all, k.one)}
	case syntax.OpConcat:
		return knowSequence(re.Sub)
	case syntax.OpAlternate:
		k := know(re.Sub[0])
		k.one = cheaper(k.all, k.one)
		for _, sub := range re.Sub[1:] {
			next := know(sub)
			k.all, k.plain = either(k.all, next.all, true), k.plain && next.plain
			k.one = either(k.one, cheaper(next.all, next.one), false)
		}
		return k
	}
	return knowledge{}
}

// knowSequence is know for expressions that follow each other.
func knowSequence(subs []*syntax.Regexp) (k knowledge) {
	run, whole := &texts{any: []string{""}}, true
	k.plain = true
	for _, sub := range subs {
		next := know(sub)
		k.plain = k.plain && next.plain
		if next.all != nil {
			if joined := follow(run, next.all); joined != nil {
				run = joined
				continue
			}
		}
		whole = false
		k.one = cheaper(cheaper(k.one, run), cheaper(next.all, next.one))
		if run = next.all; run == nil {
			run = &texts{any: []string{""}}
		}
	}
	if whole {
		k.all = run
	}
	k.one = cheaper(k.one, run)
	return k
}

// knowLiteral is know for a text. It takes the text apart at characters that do not stand for
// themselves alone: the character for bytes that are none and, if case does not count,
// characters with other cases than the two of ASCII. k and s are such.
func knowLiteral(runes []rune, fold bool) (k knowledge) {
	var piece []rune
	end := func() {
		if len(piece) > 0 {
			k.one = cheaper(k.one, &texts{any: []string{string(piece)}, fold: fold})
			piece = nil
		}
	}
	for _, r := range runes {
		if fold && r < utf8.RuneSelf && isAlpha(byte(r)) {
			r |= 0x20
		}
		if special(r) || fold && (r >= utf8.RuneSelf || r == 'k' || r == 's') {
			end()
			continue
		}
		piece = append(piece, r)
	}
	if len(piece) == len(runes) {
		k.all, k.plain = &texts{any: []string{string(piece)}, fold: fold}, true
	}
	end()
	return k
}

// special reports whether other bytes than those of r match it, or no bytes do.
func special(r rune) bool { return r == utf8.RuneError || !utf8.ValidRune(r) }

// either returns the texts of a and b, or nil if they are too many. With exact, it is nil also if
// case counts in one and not in the other.
func either(a, b *texts, exact bool) *texts {
	if a == nil || b == nil || len(a.any)+len(b.any) > maxTexts {
		return nil
	}
	a, b, ok := alike(a, b)
	if !ok && exact {
		return nil
	}
	return &texts{any: append(slices.Clone(a.any), b.any...), fold: a.fold}
}

// follow returns each text of a with each text of b after it, or nil.
func follow(a, b *texts) *texts {
	a, b, ok := alike(a, b)
	if !ok || len(a.any)*len(b.any) > maxTexts {
		return nil
	}
	t := &texts{fold: a.fold}
	for _, first := range a.any {
		for _, second := range b.any {
			if len(first)+len(second) > maxText {
				return nil
			}
			t.any = append(t.any, first+second)
		}
	}
	return t
}

// alike makes fold the same in both. ok says that they match the same as before.
func alike(a, b *texts) (*texts, *texts, bool) {
	if a.fold == b.fold {
		return a, b, true
	}
	ok := true
	folded := func(t *texts) *texts {
		if t.fold {
			return t
		}
		f := &texts{fold: true}
		for _, s := range t.any {
			ok = ok && !strings.ContainsFunc(s, func(r rune) bool { return r < utf8.RuneSelf && isAlpha(byte(r)) })
			f.any = append(f.any, lower(s))
		}
		return f
	}
	return folded(a), folded(b), ok
}

// lower returns s with its ASCII letters in lower case.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if isAlpha(c) {
			b[i] |= 0x20
		}
	}
	return string(b)
}

// cheaper returns the one that takes less work to find.
func cheaper(a, b *texts) *texts {
	if a == nil || b != nil && b.cost() < a.cost() {
		return b
	}
	return a
}

// frequent are the most frequent bytes of source code and prose, in order.
const frequent = " etaonirslcdpumfhg\t.bv(),y_w=\"x0{}k-;:*1/[]'2qSTEIACz<"

// frequency returns about what share of a text's bytes is c.
func frequency(c byte) float64 {
	if i := strings.IndexByte(frequent, c); i >= 0 {
		return 1 / float64(10+3*i)
	}
	return 1.0 / 250
}

// cost returns about how many nanoseconds a search for them takes for each byte of a file.
func (t *texts) cost() (ns float64) {
	const (
		pass      = 0.1 // to go over the bytes, for each text
		candidate = 100 // to look at a line more closely
		never     = 1e9
	)
	for _, s := range t.any {
		if s == "" {
			return never
		}
		often := 1.0
		for i := range len(s) {
			often *= frequency(s[i])
		}
		ns += pass + candidate*often
		if t.fold {
			c := s[rarest(s)]
			ns += pass + 10*frequency(c)
		}
	}
	return ns
}

// rarest returns the index of the byte that occurs least often.
func rarest(s string) int {
	best := 0
	for i := range len(s) {
		if frequency(s[i]) < frequency(s[best]) {
			best = i
		}
	}
	return best
}
