package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/drydock-go/drydock"
)

const runtimesUsage = `usage: drydock runtimes [--runtimes FILE]... [--json]

Lists the runtimes that a sandbox can be made from.

  --runtimes FILE  a file of runtimes, in place of those that DRYDOCK_RUNTIMES names; may be
                   repeated
  --json           print a JSON array of objects: name, description, image, packages, work_dir;
                   user and stand_in where there is one
`

// runtimes is the command of that name; it returns the exit code.
func runtimes(args []string) int {
	f := newFlags("runtimes")
	var files []string
	runtimeFiles(f, &files)
	asJSON := f.Bool("json", false, "")
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(runtimesUsage)
		return 0
	}
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if err != nil {
		return misuse(os.Stderr, "runtimes", err.Error())
	}
	c, err := catalog(files)
	if err == nil {
		if *asJSON {
			err = listJSON(os.Stdout, c.All())
		} else {
			err = listTable(os.Stdout, c.All())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "drydock:", err)
		return 1
	}
	return 0
}

type runtimeJSON struct {
	Name        string              `json:"name"`
	Description string              `json:"description"`
	Image       string              `json:"image"`
	Packages    map[string][]string `json:"packages"`
	WorkDir     string              `json:"work_dir"`
	User        string              `json:"user,omitempty"`
	StandIn     string              `json:"stand_in,omitempty"`
}

func listJSON(w io.Writer, all []drydock.Runtime) error {
	list := []runtimeJSON{}
	for _, r := range all {
		packages := make(map[string][]string)
		for manager, names := range r.Packages.All() {
			packages[string(manager)] = names
		}
		list = append(list, runtimeJSON{r.Name, r.Description, r.Base(), packages, r.WorkDir, r.User, r.StandIn})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(list)
}

// listTable marks images that stand in for others and explains them below.
func listTable(w io.Writer, all []drydock.Runtime) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tIMAGE\tPACKAGES\tWORK DIR")
	var standIns []string
	for _, r := range all {
		mark := ""
		if r.StandIn != "" {
			mark = " *"
			if !slices.Contains(standIns, r.StandIn) {
				standIns = append(standIns, r.StandIn)
			}
		}
		fmt.Fprintf(t, "%s\t%s%s\t%s\t%s\n", r.Name, r.Base(), mark, shorten(packages(r), 48), r.WorkDir)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(standIns) > 0 {
		fmt.Fprintf(w, "\n* stands in for another image on this host:\n  %s\n", strings.Join(standIns, "\n  "))
	}
	return nil
}

// packages is "apt: git curl; pip: uv".
func packages(r drydock.Runtime) string {
	var parts []string
	for manager, names := range r.Packages.All() {
		parts = append(parts, string(manager)+": "+strings.Join(names, " "))
	}
	return strings.Join(parts, "; ")
}
