//go:build linux

package guest

import (
	"fmt"
	"os"
)

// Main is the program:
//
//	guest init                   serve the host on stdin and stdout
//	guest prepare WORKDIR HOME   at build time: make the image ready to run as any user
func Main() {
	args := os.Args[1:]
	var err error
	switch {
	case len(args) == 1 && args[0] == "init":
		err = Serve(os.Stdin, os.Stdout)
	case len(args) == 3 && args[0] == "prepare":
		err = prepare(args[1], args[2])
	default:
		err = fmt.Errorf("usage: guest init | guest prepare WORKDIR HOME")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "drydock guest:", err)
		os.Exit(1)
	}
}
