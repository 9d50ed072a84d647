package image_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

func TestExportImport(t *testing.T) {
	is := is.New(t)
	e, runtime := ownRuntimes(t)
	ctx := context.Background()
	a, b := runtime("a", "echo a > /a"), runtime("b", "echo b > /b")
	images := &image.Builder{Catalog: catalogOf(t, a, b, runtime("unbuilt", "true")), Engine: e}
	var archive bytes.Buffer
	offline := *images
	offline.Offline = true
	is.True(errors.Is(offline.Export(ctx, &archive, a.Name), sandbox.ErrOffline)) // not built
	is.Equal(archive.Len(), 0)
	is.NoErr(images.Export(ctx, &archive, a.Name, b.Name, a.Name))

	all, err := images.Images(ctx)
	is.NoErr(err)
	is.Equal(len(all), 2) // were built for it
	for _, im := range all {
		is.NoErr(e.RemoveImage(ctx, im.Ref))
	}
	_, err = sandbox.Open(ctx, &sandbox.Options{Runtime: a.Name, Images: &offline})
	is.True(errors.Is(err, sandbox.ErrOffline)) // else what comes proves nothing

	loaded, err := images.Import(ctx, bytes.NewReader(archive.Bytes()))
	is.NoErr(err)
	is.Equal(len(loaded), 2)
	for i, r := range []drydock.Runtime{a, b} {
		is.Equal(loaded[i].Runtime, r.Name)
		sb := enginetest.Open(t, sandbox.Options{Runtime: r.Name, Images: &offline})
		is.Equal(sb.Image(), loaded[i].Ref)
		out, err := sb.Exec(ctx, "cat /a /b")
		is.NoErr(err)
		is.Equal(string(out.Stdout), string("ab"[i])+"\n") // each is its own
	}
	_, err = (&image.Builder{Engine: e, Catalog: catalogOf(t, a, runtime("b", "another"))}).Import(ctx, bytes.NewReader(archive.Bytes()))
	is.True(err != nil && strings.Contains(err.Error(), loaded[1].Ref))  // another definition
	is.True(err != nil && !strings.Contains(err.Error(), loaded[0].Ref)) // is as it was
	_, err = images.Import(ctx, strings.NewReader("no archive"))
	is.True(err != nil)
}
