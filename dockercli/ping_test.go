package dockercli

import (
	"errors"
	"testing"

	"github.com/matryer/is"
)

// Ping does not answer from memory.
func TestPing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply reply
		want  error
	}{
		{"alive", reply{Stdout: infoDocker28}, nil},
		{"unreachable", reply{Exit: 1, Stderr: "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"}, ErrUnreachable},
		{"garbage", reply{Stdout: "hello"}, ErrOutput},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			c, calls := fake(t, map[string]reply{"info": tt.reply})
			c.info = &Info{} // an answer that Info has kept
			for range 2 {
				is.True(errors.Is(c.Ping(t.Context()), tt.want))
			}
			is.Equal(len(calls()), 2) // asked each time
		})
	}
}
