package dockercli_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/drydock-go/drydock/dockercli"
)

func ExampleClient_Run() {
	c := &dockercli.Client{}
	r, err := c.Run(context.Background(), "alpine", []string{"cat"}, &dockercli.RunOptions{
		Remove:  true,
		Network: "none",
		Memory:  64 << 20,
	})
	if err == nil {
		err = r.EngineError()
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d %s", r.ExitCode, r.Stdout)
}

func ExampleError() {
	c := &dockercli.Client{}
	_, err := c.Inspect(context.Background(), "--all")
	fmt.Println(errors.Is(err, dockercli.ErrInvalidName))
	fmt.Println(err)
	// Output:
	// true
	// docker container inspect: invalid name: container "--all" begins with "-"
}
