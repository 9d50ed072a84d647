// Package drydock holds the runtimes that sandboxes are made from. A runtime has a name, an image,
// the packages to install on it, an environment and a work dir. Fifteen come with the package;
// files and Go code add to them. Package sandbox builds and starts what this one describes.
//
//	catalog, err := drydock.Default() // the presets and the files in DRYDOCK_RUNTIMES
//	if err != nil {
//		return err // it lists every mistake in the file with its line
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
// A runtime inherits from the one that it extends every field that it does not give. Variables are
// merged. Packages of a manager and setup commands come after those of the base. If the runtime
// installs something, an image that the base used as it is becomes the image to build on.
//
// The base is a runtime of the same file, anywhere in it, or else a runtime of an earlier file as
// that file left it: to redefine a runtime does not change what earlier files made from it. A
// runtime that extends its own name extends the earlier runtime of that name.
//
// A stand-in replaces an image on hosts that cannot pull it, or should pull it from elsewhere. It
// applies to every runtime of every file whose image or base_image is exactly that text, and is
// recorded in [Runtime].StandIn. The stand_ins of a file overrule those of the files before it; an
// image that stands in for itself is left alone.
//
// A mirror replaces the registry of all other images: with {docker.io: registry.example.com/hub}
// the image registry.example.com/hub/library/python:3.12-slim stands in for python:3.12-slim.
//
// A [LockFile] pins what a definition leaves open: the digest of its image and the versions of its
// packages. Package sandbox makes it from what it has built; [Catalog.Locked] applies it.
//
// The comment at the top of runtimes.yaml, where the presets are, describes every key.
//
// # Trust
//
// The author of an overlay file or a Runtime decides what runs as root while an image is built:
// setup commands are code, and so are packages. Take neither from a tenant or a model. The checks
// here make sure that a value is only what its field says: a package is never an option, a path or
// a URL, and a work dir is never a system directory. The size of a file is bounded, and so is the
// size that it can grow to by extends. A key that is not known is refused and never skipped.
//
// # What it does not do
//
// It starts no process and reaches no network: whether an image or a package exists shows in the
// build. It holds no limits, mounts or network policy, which belong to the sandbox, and no secrets,
// which do not belong in an image.
package drydock
