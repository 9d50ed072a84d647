package drydock_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/drydock-go/drydock"
)

func ExamplePresets() {
	for _, r := range drydock.Presets().All() {
		fmt.Printf("%-19s%-21s%s\n", r.Name, r.Base(), r.WorkDir)
	}
	// Output:
	// python-minimal     python:3.12-slim     /workspace
	// python-datascience python:3.12-slim     /workspace
	// python-web         python:3.12-slim     /workspace
	// node-minimal       node:20-slim         /app
	// node-react         node:20-slim         /app
	// coding             python:3.12-slim     /workspace
	// polyglot           python:3.12-slim     /workspace
	// python-analytics   python:3.12-slim     /workspace
	// python-scraping    python:3.12-slim     /workspace
	// python-documents   python:3.12-slim     /workspace
	// node-typescript    node:20-slim         /app
	// bun                oven/bun:1-slim      /app
	// deno               denoland/deno:alpine /app
	// go                 golang:1-alpine      /src
	// rust               rust:1-slim          /src
}

func ExampleLoad() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "lab.yaml")
	os.WriteFile(file, []byte(`
stand_ins:
  python:3.12-slim: localhost/drydock/python:bookworm
runtimes:
  lab:
    extends: python-web
    packages:
      pip: [rich]
`), 0o600)

	catalog, err := drydock.Load(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	lab, _ := catalog.Runtime("lab")
	fmt.Println(lab.Packages[drydock.Pip])
	fmt.Println(lab.StandIn)
	// Output:
	// [fastapi uvicorn sqlalchemy httpx rich]
	// localhost/drydock/python:bookworm in place of python:3.12-slim
}

func ExampleDefault() {
	os.Setenv(drydock.EnvFiles, "")
	catalog, err := drydock.Default()
	fmt.Println(len(catalog.All()), err)
	// Output: 15 <nil>
}

func ExampleCatalog_Runtime() {
	_, err := drydock.Presets().Runtime("pyhton-web")
	fmt.Println(errors.Is(err, drydock.ErrUnknownRuntime))
	// Output: true
}

func ExampleCatalog_With() {
	lab, _ := drydock.Presets().Runtime("python-web")
	lab.Name = "lab"
	lab.Packages[drydock.Apt] = []string{"graphviz"}

	catalog, err := drydock.Presets().With(lab)
	if err != nil {
		fmt.Println(err)
		return
	}
	lab, _ = catalog.Runtime("lab")
	for manager, packages := range lab.Packages.All() {
		fmt.Println(manager, packages)
	}
	// Output:
	// apt [graphviz]
	// pip [fastapi uvicorn sqlalchemy httpx]
}

func ExampleCatalog_Resolve() {
	r, err := drydock.Presets().Resolve(drydock.Runtime{Image: "alpine:3.20"})
	fmt.Println(r.Base(), r.WorkDir, err)
	// Output: alpine:3.20 /workspace <nil>
}

func ExampleRuntime_Hash() {
	a := drydock.Runtime{
		BaseImage: "debian:bookworm-slim",
		Packages:  drydock.Packages{drydock.Apt: {"git", "curl"}},
	}
	b := a
	b.Description = "with git and curl"
	b.Packages = drydock.Packages{drydock.Apt: {"curl", "git"}}
	fmt.Println(a.Hash() == b.Hash())
	// Output: true
}

func ExampleRuntime_Validate() {
	r := drydock.Runtime{
		Name:     "lab",
		Image:    "python:3.12-slim",
		Packages: drydock.Packages{drydock.Pip: {"rich; rm -rf /"}},
	}
	fmt.Println(r.Validate())
	// Output:
	// runtime "lab": packages.pip[0]: "rich; rm -rf /" is not a package of pip; write one such as pandas>=2,<3 or httpx[http2]==0.27, without spaces
	// runtime "lab": image: is used as it is, without packages and setup commands; write base_image to build on "python:3.12-slim"
}
