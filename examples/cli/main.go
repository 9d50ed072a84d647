// Drydock runs a command or Python code in a sandbox, for people and scripts.
//
//	drydock run --image alpine:3 --mount .:/workspace -- ls -l
//	drydock run -t --image alpine:3 -- sh
//	drydock python --runtime python-datascience
//
// Install it from a checkout with "go install ." in this directory, which names it cli, or
// with "go build -o drydock .".
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
  runtimes   list the runtimes that a sandbox can be made from, and what is built
  build      build the images of runtimes ahead of time
  images     list the images of runtimes that an engine has
  prune      remove those that no runtime yields any more, or that are not used
  export     write images of runtimes to a file, for hosts without a registry
  import     take them from such a file
  lock       pin runtimes to the images and packages of today
  snapshots  list what run --snapshot saved, or remove some

drydock COMMAND --help tells more.
`

func main() { os.Exit(dispatch(os.Args[1:])) }

// dispatch runs the command that args name and returns the exit code.
func dispatch(args []string) int {
	if len(args) == 0 {
		return misuse(os.Stderr, "", "which command?")
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
		return listing(rest)
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
			return misuse(os.Stderr, "", fmt.Sprintf("%q before the command; write it after", name))
		}
		return misuse(os.Stderr, "", fmt.Sprintf("unknown command %q", name))
	}
}

// misuse says what is wrong with the arguments of a command, and where to read on.
func misuse(w io.Writer, command, text string) int {
	if command == "" {
		fmt.Fprintf(w, "drydock: %s\n\n%s", text, usage)
	} else {
		fmt.Fprintf(w, "drydock %s: %s\nSee drydock %[1]s --help.\n", command, text)
	}
	return exitUsage
}
