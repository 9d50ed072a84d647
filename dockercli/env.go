package dockercli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// envFlags hands variables to the CLI: their names in argv, where every user of the host
// can read, their values in the CLI's environment. A variable the CLI itself obeys must
// not take that way: PATH or DOCKER_HOST meant for the container would steer the CLI on
// the host. Those few are written out in argv.
func envFlags(flag string, env map[string]string) (args, environ []string) {
	for _, k := range slices.Sorted(maps.Keys(env)) {
		if steersCLI(k) {
			args = append(args, flag+"="+k+"="+env[k])
			continue
		}
		args = append(args, flag+"="+k)
		environ = append(environ, k+"="+env[k])
	}
	return args, environ
}

// steering lists variables, and prefixes of variables, that change what the CLI, its
// plugins, ssh or the dynamic linker do. It is narrow on purpose: a secret that is listed
// here would show in argv, so DOCKER_PASSWORD, SSH_PRIVATE_KEY and GOOGLE_API_KEY are not.
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

func steersCLI(key string) bool {
	key = strings.ToUpper(key) // http_proxy counts too; and Windows ignores case
	return slices.Contains(steering, key) ||
		slices.ContainsFunc(steeringPrefix, func(p string) bool { return strings.HasPrefix(key, p) })
}

// checkEnv refuses names that no environment can hold.
func (c *Client) checkEnv(argv []string, env map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(env)) {
		if k == "" || strings.ContainsAny(k, "=\x00\r\n") {
			return c.refuse(argv, fmt.Errorf("%w: variable %q", ErrInvalidName, k))
		}
		if strings.ContainsRune(env[k], 0) {
			return c.refuse(argv, fmt.Errorf("%w: the value of variable %q holds a zero byte",
				ErrInvalidName, k))
		}
	}
	return nil
}
