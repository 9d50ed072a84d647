package drydock

import "encoding/json"

// Schema returns the JSON Schema (draft 2020-12) of a file of runtimes. Editors complete keys and
// mark mistakes in a file that begins with "# yaml-language-server: $schema=runtimes.schema.json".
// Load refuses everything that the schema refuses, and more: mistakes between runtimes, such as
// in extends, and duplicate keys.
func Schema() []byte {
	// Maps of these values always encode.
	text, _ := json.MarshalIndent(schema(), "", "  ")
	return append(text, '\n')
}

// node is a part of a JSON Schema.
type node = map[string]any

func schema() node {
	return node{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"title":                "Drydock runtimes",
		"type":                 "object",
		"additionalProperties": false,
		"properties": node{
			"version": node{"const": 1, "description": "the version of this format"},
			"stand_ins": node{
				"description":          "image: the image used in its place on this host, by exact text",
				"type":                 "object",
				"propertyNames":        ref("image"),
				"additionalProperties": ref("image"),
			},
			"mirrors": node{
				"description":          "registry: where its images are fetched from in its place",
				"type":                 "object",
				"propertyNames":        node{"pattern": registryForm.String()},
				"additionalProperties": node{"type": "string", "maxLength": 255, "pattern": mirrorForm.String()},
			},
			"runtimes": node{
				"type":                 "object",
				"maxProperties":        maxRuntimes,
				"propertyNames":        node{"pattern": nameForm.String()},
				"additionalProperties": ref("runtime"),
			},
		},
		"$defs": node{
			"image":    node{"type": "string", "maxLength": 512, "pattern": imageForm.String()},
			"text":     node{"type": "string", "minLength": 1, "maxLength": maxText},
			"literal":  node{"type": []string{"string", "number", "boolean"}},
			"packages": packagesSchema(),
			"runtime":  runtimeSchema(),
		},
	}
}

func ref(name string) node { return node{"$ref": "#/$defs/" + name} }

// described adds a description for people to a schema.
func described(s node, words string) node {
	s["description"] = words
	return s
}

func runtimeSchema() node {
	return node{
		"type":                 "object",
		"additionalProperties": false,
		"properties": node{
			"description": described(ref("text"), "text for people"),
			"extends":     described(ref("text"), "the runtime that gives every field that is not given here"),
			"image":       described(ref("image"), "an image to use as it is"),
			"base_image":  described(ref("image"), "an image to build on"),
			"packages": described(node{"anyOf": []node{ref("packages"), {"type": "array", "items": node{"type": "string"}}}},
				"the packages of each package manager; a plain list needs package_manager"),
			"package_manager": described(node{"enum": managerNames()}, "the manager of a plain list of packages"),
			"requirements": described(node{
				"type": "object", "additionalProperties": false,
				"properties": node{
					string(Pip): described(ref("text"), "a file as for pip install -r, beside this one or below"),
					string(NPM): described(node{"type": "string", "pattern": `(^|/)package\.json$`},
						"package.json, and package-lock.json beside it"),
				},
			}, "files of a project that list what a manager installs"),
			"setup_commands": described(node{"type": "array", "items": node{"type": "string", "pattern": `\S`, "maxLength": maxText}},
				"shell commands run as root, in order, after the packages"),
			"env": described(node{
				"type": "object", "propertyNames": node{"pattern": envForm.String(), "maxLength": 255},
				"additionalProperties": ref("literal"),
			}, "literal values, which become part of the image: no secrets"),
			"work_dir": described(node{"type": "string", "pattern": dirForm.String(), "maxLength": 255},
				"absolute and no system directory; the default is "+DefaultWorkDir),
			"user": described(node{"anyOf": []node{
				{"type": "integer", "minimum": 0},
				{"type": "string", "pattern": userForm.String()},
			}}, "uid, uid:gid or a name; the default is the sandbox's own user"),
		},
		"dependentSchemas": node{
			"package_manager": node{"required": []string{"packages"}, "properties": node{"packages": node{"type": "array"}}},
			"image": node{"not": node{"anyOf": []node{
				{"required": []string{"base_image"}},
			}}},
		},
		"anyOf": []node{
			{"required": []string{"image"}}, {"required": []string{"base_image"}}, {"required": []string{"extends"}},
		},
	}
}

func packagesSchema() node {
	properties := node{}
	for _, m := range managers {
		properties[string(m.name)] = node{
			"description": "such as " + m.hint,
			"type":        "array",
			"items":       node{"type": "string", "maxLength": 255, "pattern": m.form.String()},
		}
	}
	return node{
		"type": "object", "additionalProperties": false, "properties": properties,
		"not": node{"required": []string{string(Apt), string(Apk)},
			"properties": node{string(Apt): node{"minItems": 1}, string(Apk): node{"minItems": 1}}},
	}
}
