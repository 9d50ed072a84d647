// Drydock runs a command or Python code in a sandbox, for people and scripts.
//
//	drydock run --image alpine:3 --mount .:/workspace -- ls -l
//	drydock run -t --image alpine:3 -- sh
//	drydock python --runtime python-datascience
//
// Build it in this directory with "go build -o drydock .".
package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

const usage = `usage: drydock COMMAND [FLAG...]

  run        run a command in a sandbox that ends with it
  python     run Python code that keeps its variables, from a prompt or a script
  runtimes   list the runtimes for sandboxes, and the size of the built images
  build      build the images of runtimes ahead of time
  images     list the images of runtimes that an engine has
  prune      remove images that no runtime has any more, or that nobody uses
  export     write images of runtimes to a file, for hosts without a registry
  import     read images of runtimes from such a file
  lock       pin runtimes to the images and package versions of today
  snapshots  list the snapshots that run --snapshot saved, or remove some

drydock COMMAND --help describes the flags of a command.
`

func main() { os.Exit(dispatch(os.Args[1:])) }

// dispatch runs the command that args name and returns the exit code.
func dispatch(args []string) int {
	if len(args) == 0 {
		return misuse(os.Stderr, "", "no command; write one of these")
	}
	switch name, rest := args[0], args[1:]; name {
	case "run":
		return run(rest)
	case "python":
		return python(rest)
	case "runtimes":
		return runtimes(rest)
	case "build":
		return build(rest)
	case "images":
		return images(rest)
	case "prune":
		return prune(rest)
	case "export":
		return export(rest)
	case "import":
		return imports(rest)
	case "lock":
		return lock(rest)
	case "snapshots":
		return snapshots(rest)
	case "help", "-h", "-help", "--help":
		fmt.Print(usage)
		return 0
	default:
		if strings.HasPrefix(name, "-") {
			return misuse(os.Stderr, "", fmt.Sprintf("the flag %q stands before the command; write it after", name))
		}
		return misuse(os.Stderr, "", fmt.Sprintf("unknown command %q", name))
	}
}

// misuse prints the error in the arguments of a command and how to get help, and returns the
// exit code.
func misuse(w io.Writer, command, text string) int {
	if command == "" {
		fmt.Fprintf(w, "drydock: %s\n\n%s", text, usage)
	} else {
		fmt.Fprintf(w, "drydock %s: %s\nSee drydock %[1]s --help.\n", command, text)
	}
	return exitUsage
}
