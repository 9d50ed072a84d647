// The test of the JSON Schema of runtimes.yaml against a validator, apart from the library's
// module so that its requirements stay three.
module github.com/drydock-go/drydock/scripts/schema

go 1.26.0

require (
	github.com/drydock-go/drydock v0.0.0
	github.com/matryer/is v1.4.1
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
	gopkg.in/yaml.v3 v3.0.1
)

require golang.org/x/text v0.14.0 // indirect

replace github.com/drydock-go/drydock => ../..
