package dockercli

import "context"

func containerCreateArgs(image, name string, labels map[string]string, command []string) []string {
	f := flagsOf("create")
	f.text("--name", name)
	f.text("--pull", string(PullNever))
	f.labels(labels)
	return f.operands(append([]string{image}, command...)...)
}

// ContainerCreate makes a container and does not start it. An image without a command of its own
// needs one. Errors: ErrNoSuchImage, ErrNameInUse.
func (c *Client) ContainerCreate(ctx context.Context, image, name string, labels map[string]string, command ...string) error {
	argv := containerCreateArgs(image, name, labels, command)
	if err := c.check(argv, "image", image); err != nil {
		return err
	}
	_, err := c.output(ctx, argv, "container", name)
	return err
}
