module github.com/drydock-go/drydock/examples/cli

go 1.26.0

require (
	github.com/creack/pty v1.1.24
	github.com/drydock-go/drydock v0.0.0
	github.com/matryer/is v1.4.1
	golang.org/x/sys v0.50.0
	golang.org/x/term v0.48.0
)

require (
	github.com/go-cmd/cmd v1.4.4 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

replace github.com/drydock-go/drydock => ../..
