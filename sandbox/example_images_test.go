package sandbox_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/image"
)

// A sandbox of a runtime of one's own. Open builds its image if the engine has none.
func ExampleOptions_images() {
	ctx := context.Background()
	catalog, err := drydock.Presets().With(drydock.Runtime{
		Name:          "greeter",
		BaseImage:     "localhost/drydock/busybox:1",
		Env:           map[string]string{"GREETING": "hello"},
		SetupCommands: []string{"echo built > /etc/built"},
	})
	if err != nil {
		log.Fatal(err)
	}
	sb, err := sandbox.Open(ctx, &sandbox.Options{
		Runtime: "greeter",
		Images:  &image.Builder{Catalog: catalog, Engine: options().Engine},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	result, err := sb.Exec(ctx, "echo $GREETING; cat /etc/built")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(result.Stdout))
	// Output:
	// hello
	// built
}
