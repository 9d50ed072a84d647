package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/image"
)

const runtimesUsage = `usage: drydock runtimes [FLAG...]

Lists the runtimes for sandboxes, and the sizes of those images that are built.

  --engine ENGINE  docker, podman, or the path of such a command line (default docker); if it
                   does not answer the list has no sizes
  --json           print a JSON array of objects: name, description, image, packages, work_dir;
                   if there is one, user, stand_in and built (image, size, created, used)
  --runtimes FILE  a file of runtimes, in place of those that DRYDOCK_RUNTIMES names; may be
                   repeated
  --schema         print the JSON Schema of such a file, for editors
`

// runtimes is the command of that name; it returns the exit code.
func runtimes(args []string) int {
	f := newFlags("runtimes")
	asJSON := f.Bool("json", false, "")
	schema := f.Bool("schema", false, "")
	o, err := parseImageFlags(f, args, 0, false)
	if code, exit := usageExit("runtimes", runtimesUsage, err); exit {
		return code
	}
	if *schema {
		os.Stdout.Write(drydock.Schema())
		return 0
	}
	ctx, stop := untilSignal(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	images := &image.Builder{}
	if err = o.configure(images); err == nil {
		list := listTable
		if *asJSON {
			list = listJSON
		}
		err = list(os.Stdout, images.Catalog.All(), built(ctx, images))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "drydock:", err)
		return 1
	}
	return 0
}

// built returns the images of runtimes by name, or nil if the engine does not answer.
func built(ctx context.Context, images *image.Builder) map[string]image.RuntimeImage {
	const maxWait = 20 * time.Second
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	all, err := images.Images(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "drydock: the list has no images, because the engine did not answer:", err)
		return nil
	}
	byName := make(map[string]image.RuntimeImage)
	for _, im := range all {
		if !im.Superseded {
			byName[im.Runtime] = im
		}
	}
	return byName
}

type runtimeJSON struct {
	Name        string              `json:"name"`
	Description string              `json:"description"`
	Image       string              `json:"image"`
	Packages    map[string][]string `json:"packages"`
	WorkDir     string              `json:"work_dir"`
	User        string              `json:"user,omitempty"`
	StandIn     string              `json:"stand_in,omitempty"`
	Built       *builtJSON          `json:"built,omitempty"`
}

type builtJSON struct {
	Image   string    `json:"image"`
	Size    int64     `json:"size"` // bytes
	Created time.Time `json:"created"`
	Used    time.Time `json:"used"`
}

func listJSON(w io.Writer, all []drydock.Runtime, built map[string]image.RuntimeImage) error {
	list := []runtimeJSON{}
	for _, r := range all {
		packages := make(map[string][]string)
		for manager, names := range r.Packages.All() {
			packages[string(manager)] = names
		}
		j := runtimeJSON{r.Name, r.Description, r.Base(), packages, r.WorkDir, r.User, r.StandIn.String(), nil}
		if im, ok := built[r.Name]; ok {
			j.Built = &builtJSON{im.Ref, im.Size, im.Created.UTC(), im.Used.UTC()}
		}
		list = append(list, j)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(list)
}

// listTable prints the runtimes. It marks stand-ins and names them below. Unless built is nil, it
// has a column of the sizes of built images.
func listTable(w io.Writer, all []drydock.Runtime, built map[string]image.RuntimeImage) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(size string, columns ...string) {
		if built != nil {
			columns = append(columns, size)
		}
		fmt.Fprintln(t, strings.Join(columns, "\t"))
	}
	row("BUILT", "NAME", "IMAGE", "PACKAGES", "WORK DIR")
	var standIns []string
	for _, r := range all {
		image, size := r.Base(), "-"
		if r.StandIn != (drydock.StandIn{}) {
			image += " *"
			standIns = append(standIns, r.StandIn.String())
		}
		if im, ok := built[r.Name]; ok {
			size = mebibytes(im.Size)
		}
		row(size, r.Name, image, shorten(packages(r), 48), r.WorkDir)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return explainStandIns(w, standIns)
}

// packages returns a text such as "apt: git curl; pip: uv".
func packages(r drydock.Runtime) string {
	var parts []string
	for manager, names := range r.Packages.All() {
		parts = append(parts, string(manager)+": "+strings.Join(names, " "))
	}
	return strings.Join(parts, "; ")
}
