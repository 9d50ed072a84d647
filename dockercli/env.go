package dockercli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// steering lists variables that change what the CLI, its plugins, ssh or the dynamic linker do, and
// steeringPrefix the prefixes of such variables. Both are narrow on purpose, since a secret of a
// listed name would show in argv: DOCKER_PASSWORD, SSH_PRIVATE_KEY and GOOGLE_API_KEY are not here.
var (
	steering = []string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "TERM", "LANG", "TZ", "TMPDIR", "TMP", "TEMP",
		"NO_COLOR", "CLICOLOR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
		"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_API_VERSION",
		"DOCKER_BUILDKIT", "DOCKER_DEFAULT_PLATFORM", "CONTAINER_HOST", "CONTAINER_CONNECTION",
		"CONTAINER_SSHKEY", "CONTAINERD_ADDRESS", "CONTAINERD_NAMESPACE", "REGISTRY_AUTH_FILE",
		"STORAGE_DRIVER", "STORAGE_OPTS", "SSH_AUTH_SOCK", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "GODEBUG",
		"GOTRACEBACK", "GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GOCOVERDIR", "BASH_ENV", "ENV",
		"SYSTEMROOT", "COMSPEC", "PATHEXT", "APPDATA", "USERPROFILE",
	}
	steeringPrefix = []string{
		"DOCKER_CLI_", "DOCKER_CONTENT_TRUST", "DOCKER_TLS", "BUILDX_", "BUILDKIT_", "BUILDAH_",
		"CONTAINERS_", "_CONTAINERS_", "PODMAN_", "NERDCTL_", "LD_", "DYLD_", "LC_", "XDG_", "DBUS_",
		"GLIBC_", "MALLOC_",
	}
)

// steersCLI reports whether the CLI would obey a variable itself.
func steersCLI(key string) bool {
	key = strings.ToUpper(key) // http_proxy counts as well, and Windows ignores case
	return slices.Contains(steering, key) ||
		slices.ContainsFunc(steeringPrefix, func(p string) bool { return strings.HasPrefix(key, p) })
}

// checkEnv refuses variables that no environment can hold.
func (c *Client) checkEnv(argv []string, env map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(env)) {
		if k == "" || strings.ContainsAny(k, "=\x00\r\n") {
			return c.refuse(argv, fmt.Errorf("%w: variable %q is empty, or has '=', a line break or a zero byte", ErrInvalidName, k))
		}
		if strings.ContainsRune(env[k], 0) {
			return c.refuse(argv, fmt.Errorf("%w: the value of variable %q has a zero byte",
				ErrInvalidName, k))
		}
	}
	return nil
}
