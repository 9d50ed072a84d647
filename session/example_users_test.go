package session_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/session"
)

// The files of a user outlive the sandbox that wrote them.
func ExampleManager_Get_engine() {
	ctx := context.Background()
	root, err := os.MkdirTemp("", "workspaces")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(root)
	users, err := session.New(&session.Options{
		Sandbox: sandbox.Options{ // a program of yours names neither an image nor the engine
			Image:  busybox,
			Engine: engine.Docker(&dockercli.Client{Path: os.Getenv("DRYDOCK_TEST_ENGINE")}),
		},
		WorkspaceRoot: root,
		Max:           20,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer users.Shutdown(ctx)
	for _, id := range []string{"alice", "bob"} {
		sb, err := users.Get(ctx, id, nil)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := sb.WriteFile(ctx, "me.txt", []byte(id), nil); err != nil {
			log.Fatal(err)
		}
	}
	if err := users.Release(ctx, "alice", nil); err != nil {
		log.Fatal(err)
	}
	sb, err := users.Get(ctx, "alice", nil) // another sandbox on the same files
	if err != nil {
		log.Fatal(err)
	}
	text, err := sb.ReadFile(ctx, "me.txt", nil)
	fmt.Println(string(text), users.Count(), err)
	// Output: alice 2 <nil>
}
