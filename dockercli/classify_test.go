package dockercli

import (
	"testing"

	"github.com/matryer/is"
)

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		name, sub, text string
		want            error
		flag            string
	}{
		{"docker down 20.10", "ps", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", ErrUnreachable, ""},
		{"docker down, run", "run", "docker: Cannot connect to the Docker daemon at tcp://127.0.0.1:1. Is the docker daemon running?\n\nRun 'docker run --help' for more information\n", ErrUnreachable, ""},
		{"docker down 29", "ps", "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct and if the daemon is running: dial unix /var/run/docker.sock: connect: no such file or directory", ErrUnreachable, ""},
		{"docker over ssh", "ps", "error during connect: Get \"http://docker.example.com/v1.24/containers/json\": command [ssh -- h docker system dial-stdio] has exited with exit status 255", ErrUnreachable, ""},
		{"no context", "ps", "Failed to initialize: unable to resolve docker endpoint: context \"x\": context not found", ErrUnreachable, ""},
		{"podman down", "ps", "Cannot connect to Podman. Please verify your connection to the Linux system using `podman system connection list`", ErrUnreachable, ""},
		{"podman down 4", "ps", "Error: unable to connect to Podman socket: Get \"http://d/v4.9.3/libpod/_ping\": dial unix /run/podman/podman.sock: connect: no such file or directory", ErrUnreachable, ""},
		{"nerdctl down", "ps", "time=\"2024-01-01T00:00:00Z\" level=fatal msg=\"cannot access containerd socket \\\"/run/containerd/containerd.sock\\\": no such file or directory\"", ErrUnreachable, ""},
		{"docker permission 20.10", "ps", "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get ...", ErrPermission, ""},
		{"docker permission 28", "ps", "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Head ...: connect: permission denied", ErrPermission, ""},
		{"docker permission 29", "ps", "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock", ErrPermission, ""},
		{"docker container 20.10", "kill", "Error response from daemon: Cannot kill container: nosuch: No such container: nosuch", ErrNoSuchContainer, ""},
		{"docker container, old cli", "inspect", "Error: No such container: x", ErrNoSuchContainer, ""},
		{"docker object", "container", "Error: No such object: x", ErrNoSuchContainer, ""},
		{"docker object 29", "image", "error: no such object: x", ErrNoSuchImage, ""},
		{"podman container 4", "container", "Error: inspecting object: no such container x", ErrNoSuchContainer, ""},
		{"podman container 5", "exec", "Error: no container with name or ID \"x\" found: no such container", ErrNoSuchContainer, ""},
		{"docker not running", "exec", "Error response from daemon: container 3af is not running", ErrNotRunning, ""},
		{"docker kill stopped", "kill", "Error response from daemon: Cannot kill container: x: Container 3af is not running", ErrNotRunning, ""},
		{"podman not running", "exec", "Error: can only create exec sessions on running containers: container state improper", ErrNotRunning, ""},
		{"docker image 20.10", "image", "Error response from daemon: no such image: nosuch: No such image: nosuch:latest", ErrNoSuchImage, ""},
		{"docker run image", "run", "docker: Error response from daemon: pull access denied for x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied", ErrNoSuchImage, ""},
		{"docker run, never", "run", "docker: Error response from daemon: No such image: nosuch:img", ErrNoSuchImage, ""},
		{"docker manifest", "pull", "Error response from daemon: manifest for alpine:9 not found: manifest unknown: manifest unknown", ErrNoSuchImage, ""},
		{"docker 29 pull", "pull", "Error response from daemon: failed to resolve reference \"docker.io/library/alpine:9\": docker.io/library/alpine:9: not found", ErrNoSuchImage, ""},
		{"podman image", "image", "Error: inspecting object: unable to inspect \"x\": failed to find image x: x: image not known", ErrNoSuchImage, ""},
		{"podman short name", "run", "Error: short-name \"x\" did not resolve to an alias and no unqualified-search registries are defined", ErrNoSuchImage, ""},
		{"docker network", "network", "Error response from daemon: network nosuch not found\nexit status 1", ErrNoSuchNetwork, ""},
		{"docker network, old", "network", "Error: No such network: nosuch", ErrNoSuchNetwork, ""},
		{"podman network", "network", "Error: unable to find network with name or ID x: network not found", ErrNoSuchNetwork, ""},
		{"docker volume", "volume", "Error response from daemon: get nosuch: no such volume", ErrNoSuchVolume, ""},
		{"docker volume, old", "volume", "Error: No such volume: x", ErrNoSuchVolume, ""},
		{"podman volume", "volume", "Error: no volume with name \"x\" found: no such volume", ErrNoSuchVolume, ""},
		{"docker name", "run", "docker: Error response from daemon: Conflict. The container name \"/x\" is already in use by container \"3af\". You have to remove (or rename) that container to be able to reuse that name.", ErrNameInUse, ""},
		{"podman name", "run", "Error: creating container storage: the container name \"x\" is already in use by 3af. You have to remove that container to be able to reuse that name: that name is already in use", ErrNameInUse, ""},
		{"docker network name", "network", "Error response from daemon: network with name x already exists", ErrNameInUse, ""},
		{"podman network name", "network", "Error: network name x already used: network already exists", ErrNameInUse, ""},
		{"podman volume name", "volume", "Error: volume with name x already exists: volume already exists", ErrNameInUse, ""},
		{"docker image in use", "rmi", "Error response from daemon: conflict: unable to remove repository reference \"x\" (must force) - container 3af is using its referenced image 1ee", ErrInUse, ""},
		{"docker image in use by id", "rmi", "Error response from daemon: conflict: unable to delete 1ee (cannot be forced) - image is being used by running container 3af", ErrInUse, ""},
		{"podman image in use", "rmi", "Error: image used by 3af: image is in use by a container: consider removing", ErrInUse, ""},
		{"docker volume in use", "volume", "Error response from daemon: remove v: volume is in use - [3af]", ErrInUse, ""},
		{"docker network in use", "network", "Error response from daemon: error while removing network: network n id 1 has active endpoints", ErrInUse, ""},
		{"docker flag", "run", "unknown flag: --bogus\n\nUsage:  docker run [OPTIONS]", ErrUnsupportedFlag, "--bogus"},
		{"podman flag", "run", "Error: unknown flag: --bogus\nSee 'podman run --help'", ErrUnsupportedFlag, "--bogus"},
		{"docker short flag", "stop", "unknown shorthand flag: 'q' in -q", ErrUnsupportedFlag, "-q"},
		{"old engine", "run", "\"--platform\" requires API version 1.32, but the Docker daemon API version is 1.30", ErrUnsupportedFlag, "--platform"},
		{"parts on two lines", "run", "network is up\nfile not found", nil, ""},
		{"other", "run", "docker: Error response from daemon: invalid mount config", nil, ""},
		{"nothing", "run", "", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			flag, err := classify([]string{tt.sub}, tt.text)
			is.Equal(err, tt.want)  // sentinel
			is.Equal(flag, tt.flag) // flag
		})
	}
}
