package drydock_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// The programs in the README compile, and print the output that it shows.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```")
	programs := 0
	for i := 1; i < len(blocks); i += 2 {
		program, ok := strings.CutPrefix(blocks[i], "go\n")
		if !ok {
			continue
		}
		want, checked := "", false
		if i+2 < len(blocks) && strings.TrimSpace(lastLine(blocks[i+1])) == "It prints" {
			want, checked = strings.CutPrefix(blocks[i+2], "text\n")
		}
		programs++
		t.Run(fmt.Sprint(programs), func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			file, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "main")
			is.NoErr(os.WriteFile(file, []byte(program), 0o600))
			out, err := exec.Command("go", "build", "-o", binary, file).CombinedOutput()
			if err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
			if os.Getenv("DRYDOCK_TEST_ENGINE") != "docker" {
				return // they name no engine, so they run on docker
			}
			cmd := exec.CommandContext(t.Context(), "timeout", "--signal=QUIT", "180", binary)
			out, err = cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
			if checked {
				is.Equal(string(out), want)
			}
		})
	}
	is.New(t).Equal(programs, 2)
}

// The files that the README links to are there, and have the examples that it names.
func TestREADMELinks(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`\[`+"`([^`]+)`"+`\]\(([^)]+)\)`).FindAllStringSubmatch(string(text), -1)
	for _, link := range links {
		name, file := link[1], link[2]
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			source, err := os.ReadFile(file)
			is.NoErr(err)
			if strings.HasPrefix(name, "Example") {
				is.True(strings.Contains(string(source), "\nfunc "+name+"() {")) // the example is in the file
			}
		})
	}
	is.New(t).True(len(links) >= 20)
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
