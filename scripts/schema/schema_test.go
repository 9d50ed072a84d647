// Package schema tests the JSON Schema of runtimes.yaml with a validator that others wrote.
package schema

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/drydock-go/drydock"
)

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(drydock.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("runtimes.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("runtimes.schema.json") // checked against the schema of schemas
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// refuses reports whether the schema refuses a file, in the form in which an editor gives it.
func refuses(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

func load(t *testing.T, text string) error {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"f.yaml": text, "requirements.txt": "a==1\n", "package.json": "{}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := drydock.Load(filepath.Join(dir, "f.yaml"))
	return err
}

// The schema accepts every file that the loader accepts.
func TestAccepted(t *testing.T) {
	s := compile(t)
	presets, err := os.ReadFile("../../runtimes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		string(presets),
		"version: 1",
		"{}",
		"stand_ins: {python:3.12-slim: localhost/x/python:1}",
		"runtimes: {}",
		"mirrors: {docker.io: 'registry.example.com:5000/hub', 'localhost:5000': other}",
		"runtimes: {a: {image: x}}",
		"runtimes: {a: {image: 'host.example:5000/a/b_c:1.2-x@sha256:" + strings.Repeat("0", 64) + "'}}",
		"runtimes: {a: {base_image: x, packages: {apt: [git, 'git=1:2.39.5-0'], pip: ['pandas>=2,<3', 'httpx[http2]==0.27'], npm: ['@types/react@18'], cargo: [ripgrep@14.1.0], go: [golang.org/x/tools/gopls@latest]}}}",
		"runtimes: {a: {base_image: x, packages: [git], package_manager: apk}}",
		"runtimes: {a: {extends: python-web, env: {A: 1, B: 1.5, C: true, D: '', E: text}}}",
		"runtimes: {a: {image: x, user: 1000}, b: {image: x, user: '1000:1000'}, c: {image: x, user: www-data}, d: {image: x, user: 0}}",
		"runtimes: {a: {base_image: x, setup_commands: ['echo a', \"line\\nline\"], work_dir: /a/b@c}}",
		"runtimes: {a: {base_image: x, requirements: {pip: requirements.txt, npm: package.json}}}",
		"runtimes: {a: {base_image: x, packages: {apk: [], apt: [git]}}}",
		"runtimes: {a: {base_image: x, packages: {}}}",
	} {
		t.Run(text[:min(40, len(text))], func(t *testing.T) {
			is := is.New(t)
			is.NoErr(load(t, text))
			is.NoErr(refuses(t, s, text))
		})
	}
}

// The loader refuses every file that the schema refuses.
func TestRefused(t *testing.T) {
	s := compile(t)
	for _, text := range []string{
		"[a]", "hello", "version: 2", "version: '1'", "runtime: {}", "runtimes: [a]", "runtimes:", "stand_ins: [a]",
		"mirrors: [a]", "mirrors: {a/b: c}", "mirrors: {a: 'b:tag/c'}", "mirrors: {a: B/c@d}", "stand_ins: {A: b}", "stand_ins: {a: B}", "stand_ins: {a: }",
		"runtimes: {A: {image: x}}", "runtimes: {-a: {image: x}}", "runtimes: {a: }", "runtimes: {a: {}}", "runtimes: {a: []}",
		"runtimes: {a: {description: x}}",
		"runtimes: {a: {image: x, base_image: y}}",
		"runtimes: {a: {image: X}}", "runtimes: {a: {image: 'x y'}}", "runtimes: {a: {image: --help}}", "runtimes: {a: {image: 3}}", "runtimes: {a: {image: ''}}",
		"runtimes: {a: {image: x, nope: y}}",
		"runtimes: {a: {base_image: x, packages: {yum: [b]}}}",
		"runtimes: {a: {base_image: x, packages: [b]}}" + "#", // only the loader
		"runtimes: {a: {base_image: x, packages: {pip: b}}}",
		"runtimes: {a: {base_image: x, packages: {pip: ['--index-url=x']}}}",
		"runtimes: {a: {base_image: x, packages: {pip: ['a; rm -rf /']}}}",
		"runtimes: {a: {base_image: x, packages: {pip: [\"a\\nb\"]}}}",
		"runtimes: {a: {base_image: x, packages: {apt: [git-]}}}",
		"runtimes: {a: {base_image: x, packages: {npm: [../x]}}}",
		"runtimes: {a: {base_image: x, packages: {go: [golang.org/x/tools/gopls]}}}",
		"runtimes: {a: {base_image: x, packages: {apt: [git], apk: [git]}}}",
		"runtimes: {a: {base_image: x, package_manager: pip}}",
		"runtimes: {a: {base_image: x, packages: [b], package_manager: yum}}",
		"runtimes: {a: {base_image: x, packages: {pip: [b]}, package_manager: pip}}",
		"runtimes: {a: {base_image: x, setup_commands: echo}}", "runtimes: {a: {base_image: x, setup_commands: [' ']}}", "runtimes: {a: {base_image: x, setup_commands: [1]}}",
		"runtimes: {a: {image: x, env: {1A: b}}}", "runtimes: {a: {image: x, env: {'A=B': b}}}", "runtimes: {a: {image: x, env: {A: [b]}}}", "runtimes: {a: {image: x, env: {A: }}}", "runtimes: {a: {image: x, env: [A=b]}}",
		"runtimes: {a: {image: x, work_dir: a}}", "runtimes: {a: {image: x, work_dir: /}}", "runtimes: {a: {image: x, work_dir: '/a:b'}}",
		"runtimes: {a: {image: x, user: -1}}", "runtimes: {a: {image: x, user: Root}}", "runtimes: {a: {image: x, user: 'a:b:c'}}", "runtimes: {a: {image: x, user: 01000a}}",
		"runtimes: {a: {base_image: x, requirements: {apt: list}}}", "runtimes: {a: {base_image: x, requirements: {npm: other.json}}}", "runtimes: {a: {base_image: x, requirements: [a]}}",
		"runtimes: {a: {base_image: x, requirements: {pip: /etc/passwd}}}#", "runtimes: {a: {base_image: x, requirements: {pip: ../x}}}#",
		"runtimes: {a: {extends: b}, b: {extends: a}}#",
		"runtimes: {a: {image: x, packages: {pip: [b]}}}#",
		"runtimes: {a: {image: x, work_dir: /etc}}#",
	} {
		t.Run(text[:min(60, len(text))], func(t *testing.T) {
			is := is.New(t)
			is.True(load(t, text) != nil)
			if !strings.HasSuffix(text, "#") {
				is.True(refuses(t, s, text) != nil)
			}
		})
	}
}
