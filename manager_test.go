package drydock

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestPackageForms(t *testing.T) {
	for manager, forms := range map[Manager]struct{ good, bad string }{
		Apt: {
			"git g++ libstdc++6 python3.12 libc6:amd64 curl=7.88.1-10+deb12u8 docker-ce=5:27.3.1-1~debian.12 git/bookworm-backports",
			"git- Git git=-1 git=1- foo/bar- libc6:amd64- git=1* ./git.deb /git.deb a",
		},
		Apk: {
			"build-base nodejs~20 nodejs~=20.1 py3-pip=24.0-r2 go>1.20 gcc<=13 foo@edge",
			"!git git! git>=$x .virtual ./git.apk git@Edge",
		},
		Pip: {
			"pandas pandas>=2,<3 httpx[http2]==0.27 uvicorn[standard,extra]~=0.30 numpy==2.* torch==2.1+cu118 zope.interface ruamel.yaml!=1,===2 a",
			"pandas@file:///x pandas;os_name pandas> pandas[ pandas[] .pandas ./pandas git+https://h/x https://h/x a/b pandas=2 pandas>=2,,<3 pandas_",
		},
		NPM: {
			"react react@18 @types/react @types/react@18.2.1 vite@^5 typescript@~5.4 next@latest lodash@>=4 JSONStream left-pad@1.x",
			"user/repo @types @/x @types/ @types/a/b git+ssh://h/x ./x ../x file:x react@npm:x .x _x react@ react@-1",
		},
		Cargo: {
			"ripgrep ripgrep@14.1.0 cargo-edit@^0.12 wasm_bindgen",
			"ripgrep@ ripgrep@latest 1x ./x a/b _x",
		},
		Go: {
			"golang.org/x/tools/gopls@latest example.com/cmd@v1.2.3 github.com/a/b/v2@v2.0.0-rc.1 gopkg.in/yaml.v3@v3.0.1",
			"gopls gopls@latest golang.org/x/tools/gopls ./x@latest example.com/...@latest example.com/../x@v1 example.com/a@ example.com@v1 example.com/a@b/c",
		},
	} {
		hostile := []string{
			"", " ", "-r", "--index-url=x", "a b", "a\nb", "a\tb", "a\x00b", "a;b", "a|b", "a&b", "a$b", "$(b)", "a`b`",
			"a'b", `a"b`, `a\b`, "a#b", "a(b)", "a{b}", "a?b", "é", "a\n", strings.Repeat("a", 256),
		}
		t.Run(string(manager), func(t *testing.T) {
			is := is.New(t)
			validate := func(name string) error {
				return Runtime{BaseImage: "a", Packages: Packages{manager: {name}}}.Validate()
			}
			for name := range strings.SplitSeq(forms.good, " ") {
				is.NoErr(validate(name)) // accepted
			}
			for _, name := range append(hostile, strings.Fields(forms.bad)...) {
				err := validate(name)
				if err == nil {
					t.Errorf("%q is accepted", name)
					continue
				}
				is.True(strings.HasPrefix(err.Error(), fmt.Sprintf("packages.%s[0]: %s is not a package of %s; write one such as ",
					manager, quote(name), manager))) // says what to write
			}
		})
	}
}

func TestPackagesAll(t *testing.T) {
	is := is.New(t)
	p := Packages{Go: {"e"}, Pip: {"c"}, Apt: {"a"}, Cargo: {}, NPM: {"d"}, Apk: {"b"}}
	var order []Manager
	for m := range p.All() {
		order = append(order, m)
	}
	is.Equal(order, []Manager{Apt, Apk, Pip, NPM, Go}) // those of the system first, none without packages
	for m := range p.All() {
		is.Equal(m, Apt)
		break
	}
}
