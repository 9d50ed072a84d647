package dockercli_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/drydock-go/drydock/dockercli"
)

// image is a small image that scripts/setup makes.
const image = "localhost/drydock/busybox:1"

// engineClient returns a Client of the engine under test; in a program the zero value will do.
func engineClient() *dockercli.Client {
	return &dockercli.Client{Path: os.Getenv("DRYDOCK_TEST_ENGINE")}
}

func ExampleClient_Info_engine() {
	info, err := engineClient().Info(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.OS, info.CPUs > 0, info.ServerVersion != "", info.Builder != "")
	// Output: linux true true true
}

func ExampleClient_Run_engine() {
	r, err := engineClient().Run(context.Background(), image, []string{"sh", "-c", "echo $GREETING; exit 3"}, &dockercli.RunOptions{
		Remove:  true,
		Network: "none",
		Env:     map[string]string{"GREETING": "hello"}, // the value is not in argv
	})
	if err != nil {
		log.Fatal(err) // the CLI could not be run
	}
	fmt.Printf("%d %q, the engine's own: %v\n", r.ExitCode, r.Stdout, r.EngineError())
	// Output: 3 "hello\n", the engine's own: <nil>
}

func ExampleProcess_engine() {
	ctx := context.Background()
	p, err := engineClient().Start(ctx, image, []string{"cat"}, &dockercli.RunOptions{Remove: true, Network: "none"})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	if _, err := io.WriteString(p.Stdin, "back and forth"); err != nil {
		log.Fatal(err)
	}
	echo := make([]byte, len("back and forth"))
	if _, err := io.ReadFull(p.Stdout, echo); err != nil {
		log.Fatal(err)
	}
	p.Stdin.Close() // cat ends with its input, and the container with cat
	fmt.Println(string(echo), p.Wait(ctx), p.ExitCode())
	// Output: back and forth <nil> 0
}

func ExampleContainer_engine() {
	ctx, c := context.Background(), engineClient()
	name := fmt.Sprintf("drydock-example-%d", os.Getpid())
	r, err := c.Run(ctx, image, []string{"sleep", "60"}, &dockercli.RunOptions{
		Name: name, Detach: true, Labels: map[string]string{"example": name}, Memory: 64 << 20,
		Ulimits: map[string]dockercli.Ulimit{"nofile": {Soft: 64, Hard: 64}, "nproc": {Soft: 64, Hard: 64}},
	})
	if err == nil {
		err = r.EngineError()
	}
	if err != nil {
		log.Fatal(err)
	}
	defer c.ContainerRemove(ctx, name)
	list, err := c.ContainerList(ctx, map[string]string{"example": name})
	if err != nil {
		log.Fatal(err)
	}
	details, err := c.ContainerInspect(ctx, name)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(list), list[0].State, details.Limits.Memory>>20, "MiB")
	// Output: 1 running 64 MiB
}

func ExampleImage_engine() {
	ctx, c := context.Background(), engineClient()
	details, err := c.ImageInspect(ctx, image)
	if err != nil {
		log.Fatal(err)
	}
	_, missing := c.ImageInspect(ctx, "localhost/drydock/none:1")
	fmt.Println(details.OS, details.Size > 0, errors.Is(missing, dockercli.ErrNoSuchImage))
	// Output: linux true true
}

func ExampleVolume_engine() {
	ctx, c := context.Background(), engineClient()
	name := fmt.Sprintf("drydock-example-%d", os.Getpid())
	if err := c.VolumeCreate(ctx, name, &dockercli.VolumeOptions{Labels: map[string]string{"for": "example"}}); err != nil {
		log.Fatal(err)
	}
	v, err := c.VolumeInspect(ctx, name)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v.Labels["for"], c.VolumeRemove(ctx, name))
	// Output: example <nil>
}

func ExampleError() {
	c := &dockercli.Client{}
	_, err := c.ContainerInspect(context.Background(), "--all")
	fmt.Println(errors.Is(err, dockercli.ErrInvalidName))
	fmt.Println(err)
	// Output:
	// true
	// docker container inspect: invalid name: container "--all" begins with "-"
}
