//go:build linux

// The program drydock-guest is what sandbox images carry as /.drydock/guest.
package main

import "github.com/drydock-go/drydock/sandbox/internal/guest"

func main() { guest.Main() }
