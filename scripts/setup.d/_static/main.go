// The program of the image localhost/drydock/static:1, which holds nothing else: it prints its
// arguments, one a line.
package main

import (
	"fmt"
	"os"
)

func main() {
	for _, arg := range os.Args[1:] {
		fmt.Println(arg)
	}
}
