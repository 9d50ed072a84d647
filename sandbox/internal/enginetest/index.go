package enginetest

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/drydock-go/drydock/sandbox"
)

// Wheel is a package for pip with one module.
func Wheel(t testing.TB, name, version, code string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	info := fmt.Sprintf("%s-%s.dist-info/", name, version)
	record := ""
	for _, f := range []struct{ name, text string }{
		{name + ".py", code},
		{info + "METADATA", fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version)},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: drydock\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", ""},
	} {
		if f.name == info+"RECORD" {
			f.text = record + f.name + ",,\n"
		}
		record += f.name + ",,\n"
		w, err := z.Create(f.name)
		if err == nil {
			_, err = w.Write([]byte(f.text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Index serves wheels to builds from a sandbox on the default network, to whoever has the
// password "s3cret", and returns its URL.
func Index(t testing.TB, wheels map[string][]byte) (url string) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	sb := Open(t, sandbox.Options{Image: Python, Network: "bridge"})
	for file, data := range wheels {
		name, _, _ := strings.Cut(file, "-")
		dir := "www/simple/" + strings.ReplaceAll(name, "_", "-") + "/" // as PEP 503 has it
		_, err := sb.WriteFile(ctx, dir+file, data, nil)
		check(err)
		var page strings.Builder
		for file := range wheels {
			if strings.HasPrefix(file, name+"-") {
				sum := sha256.Sum256(wheels[file])
				fmt.Fprintf(&page, "<a href=\"%s#sha256=%s\">%s</a>\n", file, hex.EncodeToString(sum[:]), file)
			}
		}
		_, err = sb.WriteFile(ctx, dir+"index.html", []byte(page.String()), nil)
		check(err)
	}
	_, err := sb.WriteFile(ctx, "serve.py", []byte(`
import base64, http.server, os
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(b"user:s3cret").decode():
            self.send_response(401); self.send_header("WWW-Authenticate", "Basic"); self.end_headers(); return
        super().do_GET()
os.chdir("www")
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
`), nil)
	check(err)
	_, err = sb.Command("python3", "serve.py").Background(ctx, nil)
	check(err)
	check(sb.WaitPort(ctx, 8000))
	r, err := sb.Exec(ctx, `python3 -c 'import socket; print(socket.gethostbyname(socket.gethostname()))'`)
	check(err)
	return "http://user:s3cret@" + strings.TrimSpace(string(r.Stdout)) + ":8000/simple"
}
