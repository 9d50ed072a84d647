package owned

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/engine"
)

func TestAbandoned(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("who lives is read from /proc")
	}
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	boot, _, _ := strings.Cut(ThisProcess(), ":")
	now := time.Now()
	at := func(d time.Duration) string { return now.Add(d).UTC().Format(time.RFC3339) }
	deadOwner := fmt.Sprintf("%s:%d:1", boot, dead.Process.Pid)
	for name, test := range map[string]struct {
		state  string
		labels map[string]string
		want   bool
	}{
		"ours":                                 {"created", Labels("sandbox"), false},
		"of a dead process":                    {"exited", map[string]string{engine.LabelOwner: deadOwner}, true},
		"of a dead process, running":           {"running", map[string]string{engine.LabelOwner: deadOwner}, false},
		"of a dead process, being removed":     {"removing", map[string]string{engine.LabelOwner: deadOwner}, false},
		"of a dead process, paused":            {"paused", map[string]string{engine.LabelOwner: deadOwner}, true},
		"of a dead process, paused with lease": {"paused", map[string]string{engine.LabelOwner: deadOwner, engine.LabelLease: "1m0s"}, false},
		"of a later process of that pid":       {"created", map[string]string{engine.LabelOwner: fmt.Sprintf("%s:%d:1", boot, os.Getpid())}, true},
		"of another host, new":                 {"created", map[string]string{engine.LabelOwner: "other:1:1", engine.LabelCreated: at(-time.Hour)}, false},
		"of another host, old":                 {"created", map[string]string{engine.LabelOwner: "other:1:1", engine.LabelCreated: at(-25 * time.Hour)}, true},
		"of another host, no time":             {"created", map[string]string{engine.LabelOwner: "other:1:1"}, false},
		"expired":                              {"created", map[string]string{engine.LabelOwner: ThisProcess(), engine.LabelExpires: at(-time.Second)}, true},
		"not expired":                          {"created", map[string]string{engine.LabelOwner: ThisProcess(), engine.LabelExpires: at(time.Minute)}, false},
		"no number for a pid":                  {"created", map[string]string{engine.LabelOwner: boot + ":x:1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(Abandoned(engine.Object{State: test.state, Labels: test.labels}, now), test.want)
		})
	}
}
