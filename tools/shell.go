package tools

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The rules judge a command by the programs that the shell will run. This file parses the part
// of the POSIX shell's grammar (XCU chapter 2) whose programs are known beforehand. Anything
// else is an error that names it, and is never taken for something else.

// word is a word of a simple command after quote removal.
type word struct {
	text string
	// open: it has a variable or a wildcard in it, so it can become any number of words.
	open bool
	// bare: no part of it was quoted, so it can be a reserved word.
	bare bool
}

// redirect is a file that the shell opens for a command.
type redirect struct {
	path  string
	write bool
}

// simpleCommand is a program with its arguments.
type simpleCommand struct {
	words     []word
	redirects []redirect
}

// reserved are the reserved words of POSIX and of bash.
var reserved = strings.Fields("! { } [[ ]] case coproc do done elif else esac fi for function if in select then time until while")

// assignment matches a word that assigns a variable before a command.
var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\+?=`)

// parseCommand returns the simple commands of a list of pipelines.
func parseCommand(text string) ([]simpleCommand, error) {
	p := &commandParser{text: text}
	if err := p.parse(); err != nil {
		return nil, err
	}
	if len(p.commands) == 0 {
		return nil, errors.New("there is no command in it")
	}
	return p.commands, nil
}

type commandParser struct {
	text     string
	at       int
	commands []simpleCommand
	command  simpleCommand

	inWord bool
	word   word
	target string // the operator of a redirection whose file comes next, or ""
}

// rest returns the text that is not parsed yet.
func (p *commandParser) rest() string { return p.text[p.at:] }

// take moves past a prefix of the rest, and reports whether it has it.
func (p *commandParser) take(prefix string) bool {
	if strings.HasPrefix(p.rest(), prefix) {
		p.at += len(prefix)
		return true
	}
	return false
}

// add adds to the current word, or begins one.
func (p *commandParser) add(text string) {
	if !p.inWord {
		p.inWord, p.word = true, word{bare: true}
	}
	p.word.text += text
}

func (p *commandParser) parse() error {
	for p.at < len(p.text) {
		var err error
		switch ch := p.text[p.at]; ch {
		case ' ', '\t':
			p.at++
			err = p.endWord()
		case '\n':
			p.at++
			err = p.endCommand(true)
		case '&', '|', ';':
			err = p.operator()
		case '<', '>':
			err = p.redirection()
		case '(', ')':
			err = errors.New("a parenthesis (a subshell or a function)")
		case '#':
			if p.inWord {
				p.at++
				p.add("#")
			} else if end := strings.IndexByte(p.rest(), '\n'); end >= 0 {
				p.at += end
			} else {
				p.at = len(p.text)
			}
		case '\\', '\'', '"':
			err = p.quoted()
		case '$':
			err = p.dollar()
		case '`':
			err = errors.New("a command substitution (`)")
		default:
			p.at++
			text := p.text[p.at-1 : p.at] // a byte, which need not be a character
			// At the beginning of a word, and after the = and : of an assignment or a PATH, a
			// tilde is a directory that is not known here.
			tilde := ch == '~' && (!p.inWord || strings.HasSuffix(p.word.text, "=") || strings.HasSuffix(p.word.text, ":"))
			// The shell may be bash, in which {a,b} becomes several words.
			brace := ch == '{' && (p.inWord || p.at < len(p.text) && !strings.ContainsRune(" \t\n", rune(p.text[p.at])))
			p.add(text)
			if tilde || brace || strings.IndexByte("*?[", ch) >= 0 {
				p.word.open = true
			}
		}
		if err != nil {
			return err
		}
	}
	return p.endCommand(true)
}

// quoted parses a backslash and a character, or text in quotes.
func (p *commandParser) quoted() error {
	quote := p.text[p.at]
	p.at++
	if quote == '\\' {
		switch {
		case p.at == len(p.text):
			return errors.New("a backslash at the end")
		case p.take("\n"): // the line goes on
			return nil
		}
		p.add(p.text[p.at : p.at+1])
		p.word.bare = false
		p.at++
		return nil
	}
	p.add("")
	p.word.bare = false
	for p.at < len(p.text) {
		ch := p.text[p.at]
		switch {
		case ch == quote:
			p.at++
			return nil
		case quote == '\'':
			p.add(p.text[p.at : p.at+1])
			p.at++
		case ch == '`':
			return errors.New("a command substitution (`)")
		case ch == '$':
			if err := p.dollar(); err != nil {
				return err
			}
		case ch == '\\' && p.at+1 < len(p.text) && strings.IndexByte("$`\"\\\n", p.text[p.at+1]) >= 0:
			if p.text[p.at+1] != '\n' {
				p.add(p.text[p.at+1 : p.at+2])
			}
			p.at += 2
		default:
			p.add(p.text[p.at : p.at+1])
			p.at++
		}
	}
	return fmt.Errorf("a %c without its end", quote)
}

// variable matches a variable that is expanded without running anything.
var variable = regexp.MustCompile(`^\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]|\{[A-Za-z_][A-Za-z0-9_]*\})`)

// dollar parses a variable, or a $ that stands for itself.
func (p *commandParser) dollar() error {
	rest := p.rest()
	if name := variable.FindString(rest); name != "" {
		p.at += len(name)
		p.add(name)
		p.word.open = true
		return nil
	}
	switch {
	case strings.HasPrefix(rest, "$("):
		return errors.New("a command substitution $(")
	case strings.HasPrefix(rest, "${"):
		return errors.New("a parameter expansion ${")
	case len(rest) > 1 && strings.IndexByte(`'"[`, rest[1]) >= 0:
		return fmt.Errorf("%s", rest[:2])
	}
	p.at++
	p.add("$")
	return nil
}

// operator parses an operator between two commands.
func (p *commandParser) operator() error {
	for _, no := range []string{";;", ";&", "|&", "&>"} {
		if strings.HasPrefix(p.rest(), no) {
			return fmt.Errorf("the operator %s", no)
		}
	}
	if !p.take("&&") && !p.take("||") {
		p.at++
	}
	return p.endCommand(false)
}

// redirection parses the operator of a redirection.
func (p *commandParser) redirection() error {
	// Digits right before it are the number of the descriptor, not an argument.
	if p.inWord && p.word.bare && strings.Trim(p.word.text, "0123456789") == "" {
		p.inWord = false
	}
	if err := p.endWord(); err != nil {
		return err
	}
	if p.target != "" {
		return errors.New("a redirection without a file")
	}
	for _, no := range []string{"<<", "<(", ">("} {
		if strings.HasPrefix(p.rest(), no) {
			return fmt.Errorf("%s (a here-document or process substitution)", no)
		}
	}
	for _, op := range []string{">>", ">&", ">|", "<&", "<>", "<", ">"} {
		if p.take(op) {
			p.target = op
			return nil
		}
	}
	return nil
}

// endWord adds the current word to the command, or takes it for the file of a redirection.
func (p *commandParser) endWord() error {
	if !p.inWord {
		return nil
	}
	w := p.word
	p.inWord = false
	switch op := p.target; op {
	case "":
		p.command.words = append(p.command.words, w)
		return nil
	case ">&", "<&":
		p.target = ""
		if w.text != "-" && (w.text == "" || strings.Trim(w.text, "0123456789") != "") {
			return fmt.Errorf("%s%s", op, w.text)
		}
		return nil
	default:
		p.target = ""
		if w.open {
			return fmt.Errorf("a redirection to %s, a file whose name is not known beforehand", w.text)
		}
		p.command.redirects = append(p.command.redirects, redirect{path: w.text, write: op != "<"})
		return nil
	}
}

// endCommand ends a simple command. Only at the end of a line it may have no words.
func (p *commandParser) endCommand(atLineEnd bool) error {
	if err := p.endWord(); err != nil {
		return err
	}
	if p.target != "" {
		return errors.New("a redirection without a file")
	}
	c := p.command
	p.command = simpleCommand{}
	if len(c.words) == 0 {
		switch {
		case len(c.redirects) > 0:
			return errors.New("a redirection without a command")
		case !atLineEnd:
			return errors.New("an operator without a command before it")
		}
		return nil
	}
	switch first := c.words[0]; {
	case first.bare && slices.Contains(reserved, first.text):
		return fmt.Errorf("the reserved word %s", first.text)
	case first.open:
		return fmt.Errorf("a program whose name is not known beforehand (%s)", first.text)
	case first.text == "":
		return errors.New("a program with an empty name")
	case assignment.MatchString(first.text):
		return errors.New("an assignment of a variable")
	}
	p.commands = append(p.commands, c)
	return nil
}
