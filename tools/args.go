package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// param is a parameter of a tool. Both its schema and the check of its values are made from
// it, so that the two cannot differ.
type param struct {
	name, kind string // kind is a type of JSON Schema: string, integer, boolean, array
	about      string // its description in the schema
	want       string // completes "give ...", such as "the file's path"
	required   bool
	def        any      // the default
	min, max   int      // of an integer's values, a string's bytes, an array's items
	enum       []string // the only values of a string
	nul        bool     // a string may hold NUL bytes
	items      []param  // the parameters of each object in an array
}

// values are the arguments of a call: string, int, bool and []values by name.
type values map[string]any

func (v values) str(name string) string { s, _ := v[name].(string); return s }
func (v values) num(name string) int    { n, _ := v[name].(int); return n }
func (v values) flag(name string) bool  { b, _ := v[name].(bool); return b }
func (v values) list(name string) []values {
	l, _ := v[name].([]values)
	return l
}

// The keywords of JSON Schema for param.min and param.max, by kind.
var (
	minKeywords = map[string]string{"integer": "minimum", "string": "minLength", "array": "minItems"}
	maxKeywords = map[string]string{"integer": "maximum", "string": "maxLength", "array": "maxItems"}
)

// schema returns the JSON Schema of an object with these parameters.
func schema(params []param) json.RawMessage {
	var b bytes.Buffer
	b.WriteString(`{"$schema":"https://json-schema.org/draft/2020-12/schema",`)
	writeObject(&b, params)
	b.WriteByte('}')
	return b.Bytes()
}

// writeObject writes the keywords of an object, whose properties are in the order of params.
func writeObject(b *bytes.Buffer, params []param) {
	var required []string
	b.WriteString(`"type":"object","properties":{`)
	for i, p := range params {
		if i > 0 {
			b.WriteByte(',')
		}
		keyword := func(name string, v any) { fmt.Fprintf(b, `,"%s":%s`, name, structured(v)) }
		fmt.Fprintf(b, `%s:{"type":"%s"`, structured(p.name), p.kind)
		keyword("description", p.about)
		if p.def != nil {
			keyword("default", p.def)
		}
		if p.enum != nil {
			keyword("enum", p.enum)
		}
		if p.min > 0 || p.kind == "integer" {
			keyword(minKeywords[p.kind], p.min)
		}
		if p.max > 0 {
			keyword(maxKeywords[p.kind], p.max)
		}
		if p.items != nil {
			b.WriteString(`,"items":{`)
			writeObject(b, p.items)
			b.WriteByte('}')
		}
		b.WriteByte('}')
		if p.required {
			required = append(required, p.name)
		}
	}
	b.WriteByte('}')
	if required != nil {
		fmt.Fprintf(b, `,"required":%s`, structured(required))
	}
	b.WriteString(`,"additionalProperties":false`)
}

// decode checks arguments and adds the defaults. Problems are sentences for the model.
func decode(tool string, params []param, raw json.RawMessage) (values, []string) {
	if len(bytes.TrimSpace(raw)) == 0 {
		raw = json.RawMessage("{}") // as some models call a tool without arguments
	}
	if !json.Valid(raw) {
		var v any
		err := json.Unmarshal(raw, &v)
		return nil, []string{fmt.Sprintf("the arguments are not valid JSON (%v): send one JSON object such as %s", err, sample(params))}
	}
	if !utf8.Valid(raw) {
		return nil, []string{"the arguments are not valid UTF-8: send one JSON object such as " + sample(params)}
	}
	return decodeObject(tool, "", params, raw)
}

// sample returns an object with the required parameters, as an example for the model.
func sample(params []param) string {
	values := map[string]string{"string": `"..."`, "integer": "1", "boolean": "true", "array": "[...]"}
	var parts []string
	for _, p := range params {
		if p.required {
			parts = append(parts, fmt.Sprintf(`"%s": %s`, p.name, values[p.kind]))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// decodeObject decodes an object in valid JSON. Package json would accept "PATH" for "path",
// and the last of two values without an error. prefix is that of the parameters' names in
// problems, such as "edits[0].".
func decodeObject(tool, prefix string, params []param, raw json.RawMessage) (values, []string) {
	subject := "the arguments are"
	if prefix != "" {
		subject = fmt.Sprintf("parameter %q is", strings.TrimSuffix(prefix, "."))
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, []string{fmt.Sprintf("%s %s: send a JSON object such as %s", subject, got(raw), sample(params))}
	}
	v, given, problems := values{}, map[string]bool{}, []string(nil)
	for d.More() {
		t, err := d.Token()
		name, _ := t.(string)
		var member json.RawMessage
		if err == nil {
			err = d.Decode(&member)
		}
		if err != nil && err != io.EOF {
			return nil, []string{fmt.Sprintf("%s no object that can be read: %v", subject, err)}
		}
		i := slices.IndexFunc(params, func(p param) bool { return p.name == name })
		switch {
		case i < 0:
			problems = append(problems, fmt.Sprintf("unknown parameter %q: %s takes %s", cutText(prefix+name, 100), tool, names(params)))
		case given[name]:
			problems = append(problems, fmt.Sprintf("parameter %q is given twice: give it once", prefix+name))
		case string(member) == "null" && !params[i].required:
			// null leaves a parameter out: some models must name them all.
		default:
			value, problem := decodeValue(tool, prefix, &params[i], member)
			v[name] = value
			problems = append(problems, problem...)
		}
		given[name] = true
	}
	for _, p := range params {
		switch {
		case given[p.name] && v[p.name] != nil:
		case p.required && !given[p.name]:
			problems = append(problems, fmt.Sprintf("parameter %q is missing: give %s", prefix+p.name, p.give()))
		case p.def != nil:
			v[p.name] = p.def
		}
	}
	return v, problems
}

// names lists parameters for the model.
func names(params []param) string {
	if len(params) == 0 {
		return "no parameters"
	}
	var list []string
	for _, p := range params {
		if p.required {
			list = append(list, p.name+" (required)")
		} else {
			list = append(list, p.name)
		}
	}
	return strings.Join(list, ", ")
}

// give describes a valid value, to complete "give ...".
func (p *param) give() string {
	value := map[string]string{"string": "a string", "integer": "an integer", "boolean": "true or false", "array": "an array"}[p.kind]
	switch {
	case p.enum != nil:
		value = "one of " + strings.Join(p.enum, ", ")
	case p.kind == "integer":
		value += fmt.Sprintf(" from %d to %d", p.min, p.max)
	}
	if p.want == "" {
		return value
	}
	return p.want + " as " + value
}

// got describes a JSON value that has the wrong type.
func got(raw json.RawMessage) string {
	text := cutText(string(raw), 60)
	if text != string(raw) {
		text += "..."
	}
	switch raw[0] {
	case '"':
		return "the string " + text
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "the boolean " + text
	case 'n':
		return "null"
	}
	return "the number " + text
}

// decodeValue checks the value of a parameter.
func decodeValue(tool, prefix string, p *param, raw json.RawMessage) (any, []string) {
	name := prefix + p.name
	wrong := func() (any, []string) {
		hint := ""
		if (p.kind == "integer" || p.kind == "boolean") && raw[0] == '"' {
			hint = ", without quotes"
		}
		return nil, []string{fmt.Sprintf("parameter %q is %s: give %s%s", name, got(raw), p.give(), hint)}
	}
	size := -1
	var value any
	switch p.kind {
	case "string":
		var s string
		if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
			return wrong()
		}
		switch {
		case p.enum != nil && !slices.Contains(p.enum, s):
			return wrong()
		case s == "" && p.min > 0:
			return nil, []string{fmt.Sprintf("parameter %q is empty: give %s", name, p.give())}
		case !p.nul && strings.Contains(s, "\x00"):
			return nil, []string{fmt.Sprintf("parameter %q has a NUL byte in it: leave that out", name)}
		}
		value, size = s, len(s)
	case "integer":
		n, ok := integer(string(raw))
		if !ok {
			return wrong()
		}
		if n < p.min || n > p.max {
			return nil, []string{fmt.Sprintf("parameter %q is %d, which is out of range: give %s", name, n, p.give())}
		}
		value = n
	case "boolean":
		if raw[0] != 't' && raw[0] != 'f' {
			return wrong()
		}
		value = raw[0] == 't'
	case "array":
		var list []json.RawMessage
		if raw[0] != '[' || json.Unmarshal(raw, &list) != nil {
			return wrong()
		}
		size = len(list)
		if size < p.min {
			return nil, []string{fmt.Sprintf("parameter %q is empty: give %s", name, p.give())}
		}
		objects := []values{}
		for i, item := range list[:min(size, max(p.max, 0))] {
			v, problems := decodeObject(tool, fmt.Sprintf("%s[%d].", name, i), p.items, item)
			if problems != nil {
				return nil, problems
			}
			objects = append(objects, v)
		}
		value = objects
	}
	if p.max > 0 && size > p.max {
		unit := map[string]string{"string": "bytes", "array": "items"}[p.kind]
		return nil, []string{fmt.Sprintf("parameter %q has %d %s: give at most %d", name, size, unit, p.max)}
	}
	return value, nil
}

// integer decodes a number that is an integer. As in JSON Schema, 3.0 and 1e3 are integers.
func integer(text string) (int, bool) {
	if n, err := strconv.Atoi(text); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int(f), true
}
