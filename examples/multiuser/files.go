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
	// maxEntries is the maximum number of entries in a listing.
	maxEntries = 1000
	// maxUpload is the maximum size of an uploaded file in bytes.
	maxUpload = 8 << 20
	// maxDownload is the maximum size of a downloaded file in bytes. A sparse file of any
	// size costs the user nothing.
	maxDownload = 1 << 30
	// partSize is the number of bytes of a download that are in memory at a time.
	partSize = 256 << 10
)

// inlineTypes are the types that a browser may show. SVG is not among them: it can hold scripts.
var inlineTypes = map[string]bool{"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true}

// listing is a directory.
type listing struct {
	Path    string  `json:"path"`
	Entries []entry `json:"entries"`
	More    bool    `json:"more"` // there are more than maxEntries
}

// entry is a file in a directory.
type entry struct {
	Name     string    `json:"name"` // bytes that are not UTF-8 are U+FFFD; Href is exact
	Type     string    `json:"type"` // file, dir, symlink or other
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	// Href is the address of the listing of a directory, or of the content of anything else.
	Href string `json:"href"`
}

// list sends a directory.
func (s *service) list(w http.ResponseWriter, r *http.Request, name string) error {
	dir, err := relative(r.URL.Query().Get("path"))
	if err != nil {
		return err
	}
	release, err := s.acquireLarge(r)
	if err != nil {
		return err
	}
	defer release()
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
	// A FIFO, a device or a directory fails here, before the headers are sent.
	b, err := sb.ReadFile(r.Context(), file, &sandbox.ReadOptions{Limit: partSize})
	if err != nil {
		return err
	}
	kind, disposition := "application/octet-stream", "attachment"
	if t := http.DetectContentType(b); inlineTypes[t] {
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
		// If the file grows meanwhile, the new bytes are not sent. If it shrinks, the client
		// gets fewer bytes than announced and takes that as the error that it is.
		b = b[:min(int64(len(b)), info.Size()-offset)]
		if len(b) == 0 {
			return nil
		}
		if _, err := w.Write(b); err != nil {
			return nil
		}
		offset += int64(len(b))
		if b, err = sb.ReadFile(r.Context(), file, &sandbox.ReadOptions{Offset: offset, Limit: partSize}); err != nil {
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
	release, err := s.acquireLarge(r)
	if err != nil {
		return err
	}
	defer release()
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

// relative checks a path below the work dir and cleans it; an empty path is the work dir. A
// symlink may lead out of the work dir. It does not lead out of the sandbox, and its user can
// read everything in there anyway.
func relative(name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return "", &refusal{status: http.StatusBadRequest, text: "path: write one below the work dir, without a leading slash"}
	}
	for element := range strings.SplitSeq(name, "/") {
		if element == ".." {
			return "", &refusal{status: http.StatusBadRequest, text: "path: write one below the work dir, without .."}
		}
	}
	return path.Clean(name), nil
}
