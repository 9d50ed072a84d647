package image_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
)

// A program of yours need not name the engine: the docker in PATH is the default.
func ExampleBuilder_Prebuild() {
	ctx := context.Background()
	docker := engine.Docker(&dockercli.Client{Path: os.Getenv("DRYDOCK_TEST_ENGINE")})
	catalog, err := drydock.Presets().With(drydock.Runtime{
		Name: "example", BaseImage: "localhost/drydock/busybox:1",
		SetupCommands: []string{fmt.Sprintf("echo %d > /unique", time.Now().UnixNano())},
	})
	if err != nil {
		log.Fatal(err)
	}
	images := &image.Builder{Engine: docker, Catalog: catalog, Progress: func(p image.Progress) {
		if p.Done {
			fmt.Println(p.Image, "is ready:", p.Err == nil)
		}
	}}
	ready, err := images.Prebuild(ctx, "example")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ready[0].Runtime, ready[0].Built)
	if err := docker.RemoveImage(ctx, ready[0].Image); err != nil {
		log.Fatal(err)
	}
	// Output:
	// runtime example is ready: true
	// example true
}
