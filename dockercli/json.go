package dockercli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// decode reads one JSON value. Field names match in any case, for docker's ID and podman's Id.
// Unknown fields are ignored, since every version adds some.
func decode[T any](text string) (T, error) {
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return v, fmt.Errorf("%w: %w", ErrOutput, err)
	}
	return v, nil
}

// decodeAll reads a sequence of values: docker prints one on each line, podman one array over many
// lines.
func decodeAll[T any](text string) ([]T, error) {
	var out []T
	d := json.NewDecoder(strings.NewReader(text))
	for {
		var raw json.RawMessage
		if err := d.Decode(&raw); err == io.EOF {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOutput, err)
		}
		if raw[0] == '[' {
			list, err := decode[[]T](string(raw))
			if err != nil {
				return nil, err
			}
			out = append(out, list...)
			continue
		}
		v, err := decode[T](string(raw))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

// decodeOne reads the one value that the inspection of one object prints.
func decodeOne[T any](text string) (T, error) {
	list, err := decodeAll[T](text)
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("%w: %d objects for one name", ErrOutput, len(list))
	}
	if err != nil {
		return *new(T), err
	}
	return list[0], nil
}

// labelSet reads labels as podman writes them, in an object, and as docker's lists do: "a=b,c=d",
// where a comma inside a value is not marked. A piece without "=" is taken for the rest of the
// value before it.
type labelSet map[string]string

func (l *labelSet) UnmarshalJSON(b []byte) error {
	m := map[string]string{}
	*l = m
	var text string
	if json.Unmarshal(b, &text) != nil {
		if err := json.Unmarshal(b, &m); err != nil {
			return err
		}
		if m == nil { // it was null
			m = map[string]string{}
		}
		*l = m
		return nil
	}
	last := ""
	for piece := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(piece, "=")
		switch {
		case ok:
			m[key], last = value, key
		case last != "":
			m[last] += "," + piece
		case piece != "":
			m[piece] = ""
		}
	}
	return nil
}

// nameList reads docker's "a,b" and podman's ["a","b"].
type nameList []string

func (n *nameList) UnmarshalJSON(b []byte) error {
	*n = nil
	var text string
	if json.Unmarshal(b, &text) != nil {
		return json.Unmarshal(b, (*[]string)(n))
	}
	if text != "" {
		*n = strings.Split(text, ",")
	}
	return nil
}
