module github.com/drydock-go/drydock

go 1.26

require (
	github.com/go-cmd/cmd v1.4.4
	github.com/matryer/is v1.4.1
	gopkg.in/yaml.v3 v3.0.1
)
