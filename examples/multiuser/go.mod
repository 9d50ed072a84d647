module github.com/drydock-go/drydock/examples/multiuser

go 1.26

require (
	github.com/drydock-go/drydock v0.0.0
	github.com/matryer/is v1.4.1
)

require (
	github.com/go-cmd/cmd v1.4.4 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

replace github.com/drydock-go/drydock => ../..
