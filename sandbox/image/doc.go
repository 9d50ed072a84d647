// Package image makes the images that sandboxes run, and looks after them: it builds them
// from the runtimes of a catalogue, lists, prunes, exports and imports them.
//
//	images := &image.Builder{PipIndex: "https://packages.example.com/simple"}
//	if _, err := images.Prebuild(ctx, "python-datascience"); err != nil {
//		return err
//	}
//	sb, err := sandbox.Open(ctx, &sandbox.Options{Runtime: "python-datascience", Images: images})
//
// # What an image is
//
// The image of a sandbox is the base image of a runtime, its packages, and the guest as the
// last layer. Its tag is computed from that definition. So sandbox.Open asks the engine
// nothing before it starts a container, and builds the image only if there is none of that
// tag. A definition that changes yields another tag; the image of the old one is superseded.
//
// # Building
//
// The legacy builder of docker, BuildKit and podman build are given the same Dockerfile.
// One goroutine at a time builds an image, and one process at a time, also if several hosts
// share an engine: whoever builds holds a container, which is never started, of a name that
// is the image's. A build that fails is a *BuildError, with the step that failed and its
// last lines.
//
// # Trust
//
// Packages are installed, and setup commands run, as root and with the builder's network:
// a runtime is as trusted as the person who wrote it. Passwords of package indexes are in no
// layer, no history, no command line and no key of a builder's cache, but setup commands can
// read them.
package image
