package dockercli

import "context"

func createArgs(image, name string, labels map[string]string, command []string) []string {
	argv := append([]string{"create", "--name=" + name, "--pull=never"}, labelFlags("--label", labels)...)
	return append(append(argv, "--", image), command...)
}

// Create makes a container and does not start it. Errors: ErrNoSuchImage, ErrNameInUse. An
// image without a command of its own needs one.
func (c *Client) Create(ctx context.Context, image, name string, labels map[string]string, command ...string) error {
	argv := createArgs(image, name, labels, command)
	if err := c.check(argv, "image", image); err != nil {
		return err
	}
	if err := c.check(argv, "container", name); err != nil {
		return err
	}
	_, err := c.output(ctx, argv)
	return err
}
