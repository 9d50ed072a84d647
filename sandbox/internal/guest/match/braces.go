package match

import "fmt"

const (
	// maxAlternatives bounds the patterns that the braces of one stand for.
	maxAlternatives = 1000
	// maxBraces bounds how many pairs of braces follow each other or are nested.
	maxBraces = 100
)

// expand returns the patterns that a pattern with braces stands for: one for each option of
// its first {a,b}, with the braces in that and after it expanded in turn.
func expand(pattern string, depth int) ([]string, error) {
	if depth > maxBraces {
		return nil, fmt.Errorf("braces nested or repeated more than %d times", maxBraces)
	}
	open, level, start := -1, 0, 0
	var options []string
	class := false
	for i := 0; i < len(pattern); i++ {
		switch ch := pattern[i]; {
		case ch == '\\':
			i++
		case class:
			class = ch != ']'
		case ch == '[':
			class = true
			if i+1 < len(pattern) && (pattern[i+1] == '!' || pattern[i+1] == '^') {
				i++
			}
			if i+1 < len(pattern) && pattern[i+1] == ']' {
				i++
			}
		case ch == '{':
			if level == 0 {
				open, start = i, i+1
			}
			level++
		case ch == ',' && level == 1:
			options = append(options, pattern[start:i])
			start = i + 1
		case ch == '}' && level > 0:
			if level--; level > 0 {
				continue
			}
			var out []string
			for _, option := range append(options, pattern[start:i]) {
				all, err := expand(pattern[:open]+option+pattern[i+1:], depth+1)
				if err != nil {
					return nil, err
				}
				if out = append(out, all...); len(out) > maxAlternatives {
					return nil, fmt.Errorf("the braces stand for more than %d patterns", maxAlternatives)
				}
			}
			return out, nil
		}
	}
	if level > 0 {
		return nil, fmt.Errorf("a { has no }; write \\{ for the character itself")
	}
	return []string{pattern}, nil
}
