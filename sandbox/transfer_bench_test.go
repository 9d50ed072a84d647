package sandbox_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// benchTree makes a tree of 10,000 files of together 200 MB in 110 directories.
func benchTree(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	data := make([]byte, 20_000)
	for d := range 100 {
		sub := filepath.Join(dir, fmt.Sprintf("d%d/s%d", d%10, d))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			b.Fatal(err)
		}
		for f := range 100 {
			_, _ = rand.Read(data)
			if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("file%d.dat", f)), data, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	return dir
}

// benchMounted opens a sandbox whose work dir is a directory of the host: docker cp sees
// nothing of a tmpfs. For Drydock it is the same directory.
func benchMounted(b *testing.B) (sb *sandbox.Sandbox, cli string, work string) {
	b.Helper()
	e, cli := enginetest.Engine(b)
	work = b.TempDir()
	for dir := work; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	sb, err := sandbox.Open(context.Background(), &sandbox.Options{Image: enginetest.Busybox, Engine: e,
		Mounts: []sandbox.Mount{{Source: work, Target: "/workspace"}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { sb.Close() })
	return sb, cli, work
}

func emptied(b *testing.B, dir string) func() {
	return func() {
		if err := os.RemoveAll(dir); err != nil {
			b.Fatal(err)
		}
	}
}

func benchCopy(cli string, args ...string) error {
	if out, err := exec.Command(cli, append([]string{"cp"}, args...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %s", err, out)
	}
	return nil
}

func BenchmarkUpload(b *testing.B) {
	tree := benchTree(b)
	sb, cli, work := benchMounted(b)
	ctx := context.Background()
	compare(b,
		&rival{name: "drydock", after: emptied(b, work+"/a"), do: func() error {
			_, err := sb.Upload(ctx, tree, "a", nil)
			return err
		}},
		&rival{name: "engine-cp", after: emptied(b, work+"/b"), do: func() error {
			return benchCopy(cli, tree, sb.Name()+":/workspace/b")
		}},
	)
}

func BenchmarkDownload(b *testing.B) {
	tree, out := benchTree(b), b.TempDir()
	sb, cli, _ := benchMounted(b)
	ctx := context.Background()
	if _, err := sb.Upload(ctx, tree, "tree", nil); err != nil {
		b.Fatal(err)
	}
	compare(b,
		&rival{name: "drydock", after: emptied(b, out+"/a"), do: func() error {
			_, err := sb.Download(ctx, "tree", out+"/a", nil)
			return err
		}},
		&rival{name: "engine-cp", after: emptied(b, out+"/b"), do: func() error {
			return benchCopy(cli, sb.Name()+":/workspace/tree", out+"/b")
		}},
	)
}
