package sandbox

import (
	"context"
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/engine"
)

// A configuration shares nothing with the options that it is made of: what the caller changes
// later gives no command another user, and no fork another mount.
func TestResolveCopies(t *testing.T) {
	is := is.New(t)
	o := &Options{
		Image: "debian:12", Users: []string{"1234"}, Env: map[string]string{"A": "1"}, Tmpfs: map[string]int64{"/cache": 4096},
		Ulimits: map[string]engine.Ulimit{"nofile": {Soft: 1, Hard: 1}}, Mounts: []Mount{{Source: "data", Target: "/data"}},
	}
	c, err := o.resolve()
	is.NoErr(err)
	o.Users[0], o.Env["A"], o.Tmpfs["/cache"], o.Mounts[0].Target = "root", "2", 1, "/etc"
	delete(o.Ulimits, "nofile")
	is.Equal(c.Users, []string{"1234"})
	is.Equal(c.Env["A"], "1")
	is.Equal(c.Tmpfs["/cache"], int64(4096))
	is.Equal(c.Mounts[0].Target, "/data")
	is.Equal(len(c.Ulimits), 1)
	is.True(o.Images == nil && o.Engine == nil && o.WorkDir == "") // nor does it change them
}

func TestFailureNamesOnce(t *testing.T) {
	ctx := context.Background()
	const rule = "write letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 128"
	for name, test := range map[string]struct {
		do   func() error
		want string
	}{
		"open": {func() error { _, err := Open(ctx, &Options{Snapshot: "bad name!"}); return err },
			`open: snapshot name "bad name!": ` + rule},
		"wake": {func() error { _, err := Wake(ctx, "bad name!", nil); return err },
			`wake bad name!: snapshot name "bad name!": ` + rule},
		"two sources": {func() error { _, err := Open(ctx, &Options{Image: "a", Runtime: "b"}); return err },
			"open: more than one of Runtime, Image and Snapshot are set: give one of them"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			e, ok := errors.AsType[*Error](test.do())
			is.True(ok)
			is.Equal(e.Code, CodeInvalid)
			is.Equal(e.Error(), test.want)
		})
	}
	t.Run("unsupported", func(t *testing.T) {
		is := is.New(t)
		err := failure("fork", "", errWritable)
		is.True(errors.Is(err, errors.ErrUnsupported))
		is.Equal(err.Error(), "fork: it has a WritableRoot, whose files would not be restored: take a Snapshot and open that")
	})
}
