package sandbox_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

func ExampleSandbox_Expose() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options()) // which has no network
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	if _, err := sb.WriteFile(ctx, "www/index.html", []byte("hello from inside"), nil); err != nil {
		log.Fatal(err)
	}
	if _, err := sb.Command("httpd", "-f", "-p", "8000", "-h", "www").Background(ctx, nil); err != nil {
		log.Fatal(err)
	}
	soon, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := sb.WaitPort(soon, 8000); err != nil {
		log.Fatal(err)
	}
	exposed, err := sb.Expose(ctx, 8000, nil)
	if err != nil {
		log.Fatal(err)
	}
	response, err := http.Get(exposed.URL()) // as a browser would
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
	// Output: hello from inside
}

func ExampleSandbox_Transport() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	client := &http.Client{Transport: sb.Transport()}
	_, err = client.Get("http://localhost:8000/") // the sandbox's own localhost
	fmt.Println(err)
	// Output: Get "http://localhost:8000/": dial localhost:8000: connect: connection refused
}
