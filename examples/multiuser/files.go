package main

import (
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

const (
	// maxEntries is how many entries of a directory are listed.
	maxEntries = 1000
	// maxUpload is how many bytes a file that is uploaded may have.
	maxUpload = 8 << 20
	// maxDownload is how many one that is downloaded may have. A sparse file of any size
	// costs the user nothing.
	maxDownload = 1 << 30
	// part is how many bytes of a download are in memory.
	part = 256 << 10
)

// pictures are what a browser may show. SVG is not among them: it can hold scripts.
var pictures = map[string]bool{"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true}

// listing is a directory.
type listing struct {
	Path    string  `json:"path"`
	Entries []entry `json:"entries"`
	More    bool    `json:"more"` // there are more than maxEntries
}

// entry is a file in a directory.
type entry struct {
	Name     string    `json:"name"` // with U+FFFD where it is not UTF-8; Href is exact
	Type     string    `json:"type"` // file, dir, symlink or other
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	// Href is where to get it: the listing of a directory, the content of anything else.
	Href string `json:"href"`
}

// list sends a directory.
func (s *service) list(w http.ResponseWriter, r *http.Request, name string) error {
	dir, err := relative(r.URL.Query().Get("path"))
	if err != nil {
		return err
	}
	letGo, err := s.hold(r)
	if err != nil {
		return err
	}
	defer letGo()
	sb, err := s.manager.Get(r.Context(), name, nil)
	if err != nil {
		return err
	}
	infos, err := sb.ReadDir(r.Context(), dir)
	if err != nil {
		return err
	}
	l := listing{Path: dir, Entries: []entry{}, More: len(infos) > maxEntries}
	for _, info := range infos[:min(len(infos), maxEntries)] {
		l.Entries = append(l.Entries, newEntry(name, dir, info))
	}
	writeJSON(w, http.StatusOK, l)
	return nil
}

func newEntry(name, dir string, info sandbox.FileInfo) entry {
	e := entry{Name: info.Name(), Type: "other", Size: info.Size(), Modified: info.ModTime()}
	files := "/users/" + url.PathEscape(name) + "/files"
	file := path.Join(dir, info.Name())
	e.Href = files + "/" + strings.ReplaceAll(url.PathEscape(file), "%2F", "/")
	switch {
	case info.IsDir():
		e.Type, e.Size = "dir", 0
		e.Href = files + "?path=" + url.QueryEscape(file)
	case info.Mode().IsRegular():
		e.Type = "file"
	case info.Mode()&fs.ModeSymlink != 0:
		e.Type = "symlink"
	}
	return e
}

// download sends a file.
func (s *service) download(w http.ResponseWriter, r *http.Request, name string) error {
	file, err := relative(r.PathValue("path"))
	if err != nil {
		return err
	}
	sb, err := s.manager.Get(r.Context(), name, nil)
	if err != nil {
		return err
	}
	info, err := sb.Stat(r.Context(), file)
	if err != nil {
		return err
	}
	if info.Size() > maxDownload {
		return &refusal{status: http.StatusRequestEntityTooLarge, text: "the file is longer than 1 GiB"}
	}
	// A FIFO, a device or a directory fails here, and not after the headers.
	b, err := sb.ReadFile(r.Context(), file, &sandbox.ReadOptions{Limit: part})
	if err != nil {
		return err
	}
	kind, disposition := "application/octet-stream", "attachment"
	if t := http.DetectContentType(b); pictures[t] {
		kind, disposition = t, "inline"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": path.Base(file)}))
	h.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	if r.Method == http.MethodHead {
		return nil
	}
	for offset := int64(0); ; {
		// A file that grows meanwhile ends where it ended; of one that shrinks the client
		// gets less than announced, which it takes for the error that it is.
		b = b[:min(int64(len(b)), info.Size()-offset)]
		if len(b) == 0 {
			return nil
		}
		if _, err := w.Write(b); err != nil {
			return nil
		}
		offset += int64(len(b))
		if b, err = sb.ReadFile(r.Context(), file, &sandbox.ReadOptions{Offset: offset, Limit: part}); err != nil {
			return nil
		}
	}
}

// upload writes a file.
func (s *service) upload(w http.ResponseWriter, r *http.Request, name string) error {
	file, err := relative(r.PathValue("path"))
	if err != nil {
		return err
	}
	letGo, err := s.hold(r)
	if err != nil {
		return err
	}
	defer letGo()
	sb, err := s.manager.Get(r.Context(), name, nil)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUpload))
	if err != nil {
		return bodyError(err)
	}
	result, err := sb.WriteFile(r.Context(), file, data, nil)
	if err != nil {
		return err
	}
	if result.Created {
		w.WriteHeader(http.StatusCreated)
	} else {
		w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// relative checks a path below the work dir; empty is the work dir. A symlink may lead out of
// it, though not out of the sandbox, and its user can read all that is in there anyway.
func relative(name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return "", &refusal{status: http.StatusBadRequest, text: "path: write one below the work dir, without a slash before it"}
	}
	for element := range strings.SplitSeq(name, "/") {
		if element == ".." {
			return "", &refusal{status: http.StatusBadRequest, text: "path: write one below the work dir, without .."}
		}
	}
	return path.Clean(name), nil
}
