// Package drydock holds the runtimes that sandboxes are made from: an image, what is installed on
// it, its environment and its work dir, by name. Fifteen come with it; files and Go code add to
// them. The sandbox package builds and starts what this one describes.
//
//	catalog, err := drydock.Default() // the presets and the files in DRYDOCK_RUNTIMES
//	if err != nil {
//		return err // every mistake in the file, each with its line
//	}
//	lab, err := catalog.Runtime("python-datascience")
//	if err != nil {
//		return err
//	}
//	lab.Name = "lab"
//	lab.Packages[drydock.Pip] = append(lab.Packages[drydock.Pip], "polars>=1,<2")
//	catalog, err = catalog.With(lab)
//
// # Overlay files
//
// A file adds runtimes, replaces those of files before it, and extends them:
//
//	stand_ins:
//	  python:3.12-slim: localhost/drydock/python:bookworm
//	runtimes:
//	  lab:
//	    extends: python-datascience
//	    packages:
//	      apt: [graphviz]
//	      pip: ["polars>=1,<2"]
//	    env: {OMP_NUM_THREADS: 2}
//
// A runtime takes over from the one it extends every field that it does not give. Variables are
// merged, packages (for each manager) and setup commands come after those of the base, and an
// image that was used as it is becomes the one to build on when something is installed. The base
// is a runtime of the same file, wherever it stands there, or else of an earlier one, as it was
// then: redefining a runtime does not change what earlier files made from it. A runtime that
// extends its own name extends the earlier one.
//
// A stand-in replaces an image on hosts that cannot pull it, or should pull it from a mirror: in
// every runtime, of whichever file, whose image or base_image is the same text. Such a runtime
// says so in [Runtime].StandIn. One file's stand_ins overrule those of the files before it; an
// image that stands in for itself is left alone. Under mirrors, all other images of a registry get
// another prefix: {docker.io: registry.example.com/hub} makes of python:3.12-slim the image
// registry.example.com/hub/library/python:3.12-slim, which stands in for it in the same way.
//
// A [LockFile] pins what a definition leaves open: the digest of its image and the versions of its
// packages. It is made by the sandbox package, which builds them, and used by [Catalog.Locked].
//
// The comment at the top of runtimes.yaml, where the presets are, describes every key.
//
// # Trust
//
// Who writes an overlay file or a Runtime decides what runs as root while an image is built: setup
// commands are code, and so are packages. Take neither from a tenant or a model. The checks here
// keep a value from being anything but what its field says: a package is never an option, a path
// or a URL, a work dir never a system directory. Files are bounded in size, and so is what they
// can grow to by extending; what is not understood is refused and never skipped.
//
// # What it does not do
//
// It starts no process and reaches no network: whether an image or a package exists is found out
// by whoever builds it. It holds no limits, mounts or network policy, which belong to the sandbox,
// and no secrets, which do not belong in an image.
package drydock
