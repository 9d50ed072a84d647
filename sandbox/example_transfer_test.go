package sandbox_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/drydock-go/drydock/sandbox"
)

func ExampleSandbox_Upload() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	project, err := os.MkdirTemp("", "project-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(project)
	if err := os.WriteFile(filepath.Join(project, "main.sh"), []byte("echo built\n"), 0o755); err != nil {
		log.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(project, ".git"), 0o755); err != nil {
		log.Fatal(err)
	}
	up, err := sb.Upload(ctx, project, "project", &sandbox.TransferOptions{Exclude: []string{".git"}})
	if err != nil {
		log.Fatal(err)
	}
	result, err := sb.Exec(ctx, "ls -A project; sh project/main.sh")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes, %d entries\n%s", up.Bytes, up.Entries, result.Stdout)
	// Output:
	// 11 bytes, 2 entries
	// main.sh
	// built
}

func ExampleSandbox_UploadFS() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	// An embed.FS, or any other fs.FS.
	files := fstest.MapFS{"data/numbers.txt": {Data: []byte("1\n2\n3\n")}}
	if _, err := sb.UploadFS(ctx, files, "input", nil); err != nil {
		log.Fatal(err)
	}
	result, err := sb.Exec(ctx, "wc -l < input/data/numbers.txt")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", result.Stdout)
	// Output: 3
}

func ExampleSandbox_UploadTar() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	// An archive from an unknown sender.
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "../../etc/passwd", Typeflag: tar.TypeReg}); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	_, err = sb.UploadTar(ctx, &archive, "input", nil)
	fmt.Println(errors.Is(err, sandbox.ErrUnsafe))
	fmt.Println(err)
	// Output:
	// true
	// upload ../../etc/passwd: a name with .. in it; TransferOptions.Skip leaves such entries out
}

func ExampleSandbox_Download() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	if _, err := sb.Exec(ctx, "mkdir out && echo 42 > out/answer && ln -s /etc/passwd out/trap"); err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "results-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	down, err := sb.Download(ctx, "out", dir, &sandbox.TransferOptions{Skip: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, skipped := range down.Skipped {
		fmt.Println(skipped)
	}
	answer, err := os.ReadFile(filepath.Join(dir, "answer"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", answer)
	// Output:
	// download trap: a symlink to an absolute path, "/etc/passwd"
	// 42
}

func ExampleSandbox_DownloadTar() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	if _, err := sb.WriteFile(ctx, "out/answer", []byte("42\n"), nil); err != nil {
		log.Fatal(err)
	}
	var archive bytes.Buffer
	if _, err := sb.DownloadTar(ctx, "out", &archive, nil); err != nil {
		log.Fatal(err)
	}
	r := tar.NewReader(&archive)
	for h, err := r.Next(); err == nil; h, err = r.Next() {
		fmt.Println(h.Name, h.Size)
	}
	// Output:
	// ./ 0
	// answer 3
}
