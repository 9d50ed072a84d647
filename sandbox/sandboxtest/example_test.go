package sandboxtest_test

import (
	"archive/tar"
	"bytes"
	"context"
	_ "embed"
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/sandboxtest"
)

//go:embed testdata/greeter.py
var greeter []byte

// A web server runs in a sandbox, and the test sends requests to it.
func TestWebServer(t *testing.T) {
	needEngine(t)
	is := is.New(t)
	sb := sandboxtest.New(t, &sandboxtest.Options{Options: sandbox.Options{Runtime: "python-minimal"}})
	ctx := t.Context()
	_, err := sb.WriteFile(ctx, "greeter.py", greeter, nil)
	is.NoErr(err)
	_, err = sb.Command("python3", "greeter.py").Background(ctx, nil)
	is.NoErr(err)
	is.NoErr(sb.WaitPort(ctx, 8000))

	client := &http.Client{Transport: sb.Transport()}
	for _, test := range []struct {
		query  string
		status int
		body   string
	}{
		{"?name=Ada", 200, "Hello, Ada!"},
		{"?name=%E2%98%83", 200, "Hello, \u2603!"},
		{"", 400, "who?"},
	} {
		t.Run(test.query, func(t *testing.T) {
			is := is.New(t)
			r, err := client.Get("http://localhost:8000/" + test.query)
			is.NoErr(err)
			defer r.Body.Close()
			body, err := io.ReadAll(r.Body)
			is.NoErr(err)
			is.Equal(r.StatusCode, test.status)
			is.Equal(string(body), test.body)
		})
	}
}

// A service runs in a container of its own. The test reaches it, and so does the tested sandbox,
// over a private network of the two.
func TestService(t *testing.T) {
	needEngine(t)
	is := is.New(t)
	network := sandboxtest.NewNetwork(t, nil)
	files := sandboxtest.Run(t, buildImage(t, "served"), &sandboxtest.ServiceOptions{
		Options: sandbox.Options{Network: network},
		Wait:    []sandboxtest.Wait{sandboxtest.ForHTTP(8080, "/index.html", 200)},
	})

	// The test comes through the channel: Addr is an address of this host.
	r, err := http.Get("http://" + files.Addr(8080) + "/")
	is.NoErr(err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	is.NoErr(err)
	is.Equal(string(body), "served")

	if os.Getenv(sandboxtest.EnvEngine) == "podman" {
		return // whose networks without a way out have no names before version 5
	}
	// The sandbox comes over the network, by the service's name.
	sb := sandboxtest.New(t, &sandboxtest.Options{Options: sandbox.Options{
		Image: "localhost/drydock/busybox:1", Network: network,
		Env: map[string]string{"FILES": "http://" + files.Name() + ":8080"},
	}})
	result, err := sb.Exec(t.Context(), "wget -q -O - $FILES/")
	is.NoErr(err)
	is.Equal(string(result.Stdout), "served")
}

// buildImage builds the image of a small web server, that ends with the test.
func buildImage(t *testing.T, page string) string {
	t.Helper()
	is := is.New(t)
	const tag = "localhost/drydock/test-service:1"
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for name, text := range map[string]string{
		"index.html": page,
		"Dockerfile": `FROM localhost/drydock/busybox:1
			COPY index.html /srv/www/index.html
			WORKDIR /srv/www
			EXPOSE 8080 53/udp
			HEALTHCHECK --timeout=3s CMD wget -q -O - http://localhost:8080/ | grep .
			ENTRYPOINT ["/bin/sh", "-c", "echo serving $PWD; exec httpd -f -v -p $1", "httpd"]
			CMD ["8080"]
			`,
	} {
		is.NoErr(w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}))
		_, err := io.WriteString(w, text)
		is.NoErr(err)
	}
	is.NoErr(w.Close())
	docker := &dockercli.Client{Path: os.Getenv(sandboxtest.EnvEngine)}
	t.Cleanup(func() {
		ctx := context.Background()
		// With the images that Run has built on it.
		images, err := docker.ImageList(ctx, map[string]string{engine.LabelBase: tag})
		is.NoErr(err)
		for _, im := range append(images, dockercli.ImageSummary{Ref: tag}) {
			_ = docker.ImageRemove(ctx, im.Ref) // it may be there no more
		}
	})
	is.NoErr(docker.Build(t.Context(), &archive, &dockercli.BuildOptions{Tags: []string{tag}}))
	return tag
}

// needEngine keeps the tests of this package apart from those that need nothing. A test of
// yours does not need it: sandboxtest looks for the engine.
func needEngine(t *testing.T) {
	t.Helper()
	if os.Getenv(sandboxtest.EnvEngine) == "" {
		t.Skip(sandboxtest.EnvEngine + " names no engine: run scripts/test")
	}
}
