package sandboxtest_test

import (
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/sandboxtest"
)

func getPage(s *sandboxtest.Service) (string, error) {
	r, err := (&http.Client{Transport: s.Transport()}).Get("http://localhost:8080/")
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return string(body), err
}

// Without options the image says how it runs and when it is ready.
func TestImagesOwnWays(t *testing.T) {
	needEngine(t)
	is := is.New(t)
	s := sandboxtest.Run(t, buildImage(t, "one"), nil)
	page, err := getPage(s) // the port is open by now
	is.NoErr(err)
	is.Equal(page, "one")
	line, err := s.Job.WaitLine(t.Context(), "serving", 0)
	is.NoErr(err)
	is.Equal(line.Text, "serving /srv/www") // its WORKDIR
	uid, _ := s.User()
	is.Equal(uid, 0) // as it names no user

	// An image that was built anew under its name is run as it is now.
	wait := sandboxtest.ForHealthcheck()
	if os.Getenv(sandboxtest.EnvEngine) == "podman" {
		wait = sandboxtest.ForPort(8080) // its builder leaves HEALTHCHECK out of an image
	}
	s = sandboxtest.Run(t, buildImage(t, "two"), &sandboxtest.ServiceOptions{
		Options: sandbox.Options{User: "1000:1000"},
		Wait:    []sandboxtest.Wait{wait},
	})
	page, err = getPage(s)
	is.NoErr(err)
	is.Equal(page, "two")
	uid, _ = s.User()
	is.Equal(uid, 1000)
}
