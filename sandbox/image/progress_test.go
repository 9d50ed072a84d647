package image

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestProgress(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"legacy":   {"Step 1/2 : FROM x\n ---> abc\nStep 2/2 : RUN y\nok\n", "1/2 FROM x:|1/2 FROM x: ---> abc|2/2 why:|2/2 why:ok"},
		"podman":   {"STEP 1/2: FROM x\nSTEP 2/2: RUN y\n", "1/2 FROM x:|2/2 why:"},
		"BuildKit": {"#1 [internal] load\n#5 [1/2] FROM x\n#6 [2/2] RUN y\n#6 0.1 ok\n", "0/0 :#1 [internal] load|1/2 FROM x:|2/2 why:|2/2 why:#6 0.1 ok"},
		"bars":     {"a 10%\ra 20%\r\x1b[31mred\x1b[0m\n\n", "0/0 :a 10%|0/0 :a 20%|0/0 :red"},
		"no end":   {"tail", "0/0 :tail"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			for _, size := range []int{1, 3, 1000} { // however the output is cut
				var got []string
				p := newProgress("image x", func(e Progress) {
					if !e.Done {
						got = append(got, fmt.Sprintf("%d/%d %s:%s", e.Step, e.Steps, e.Text, e.Line))
					}
				})
				p.steps = []Step{{"RUN y", "why"}}
				for part := range slices.Chunk([]byte(test.in), size) {
					n, err := p.Write(part)
					is.NoErr(err)
					is.Equal(n, len(part))
				}
				p.done(nil)
				is.Equal(strings.Join(got, "|"), test.want)
			}
		})
	}
}

func TestPullProgress(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"docker": {"12-slim: Pulling from library/python\naaaaaaaaaaaa: Pulling fs layer\nbbbbbbbbbbbb: Pulling fs layer\n" +
			"aaaaaaaaaaaa: Verifying Checksum\naaaaaaaaaaaa: Download complete\naaaaaaaaaaaa: Pull complete\nbbbbbbbbbbbb: Already exists\nDigest: sha256:1\n",
			"0/0 pull x|0/0 pull x:12-slim: Pulling from library/python|0/1 pull x|0/2 pull x|0/2 pull x:aaaaaaaaaaaa: Verifying Checksum|1/2 pull x|2/2 pull x|2/2 pull x:Digest: sha256:1"},
		"podman": {"Trying to pull x...\nCopying blob sha256:aaaaaaaaaaaaaaaa\nCopying blob sha256:bbbbbbbbbbbbbbbb\nCopying blob sha256:bbbbbbbbbbbbbbbb skipped: already exists\nCopying config sha256:c\n",
			"0/0 pull x|0/0 pull x:Trying to pull x...|0/1 pull x|0/2 pull x|1/2 pull x|2/2 pull x"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var got []string
			p := newProgress("image x", func(e Progress) {
				line := fmt.Sprintf("%d/%d %s", e.Step, e.Steps, e.Text)
				if e.Line != "" {
					line += ":" + e.Line
				}
				got = append(got, line)
			})
			p.pull("x")
			_, err := p.Write([]byte(test.in))
			is.NoErr(err)
			is.Equal(strings.Join(got, "|"), test.want)
		})
	}
}

// A password is masked wherever a long line is cut.
func TestPasswordAtACut(t *testing.T) {
	const secret = "s3cret-s3cret-s3cret"
	b := &Builder{NPMToken: secret}
	for _, before := range []int{4060, 4080, 4089, 4095, 4096, 4110, 8180} {
		for _, piece := range []int{1, 7, 10000} {
			is := is.New(t)
			var shown strings.Builder
			p := newProgress("image x", func(e Progress) { shown.WriteString(e.Line) })
			p.hide, p.maxSecret = b.hide, len(secret)
			for part := range slices.Chunk([]byte(strings.Repeat("x", before)+secret+strings.Repeat("y", 5000)+"\n"), piece) {
				_, err := p.Write(part)
				is.NoErr(err)
			}
			is.True(!strings.Contains(shown.String(), "s3cr") && !strings.Contains(shown.String(), "cret"))
			is.True(strings.Count(shown.String(), "*") == 4 || piece == 10000)
			if piece < 10000 { // a line that comes whole is cut
				is.Equal(strings.Count(shown.String(), "y"), 5000) // nothing else is missing
			}
		}
	}
}
