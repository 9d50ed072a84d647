package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/session"
)

// A web application in which the code of every user runs apart from that of every other.
func Example() {
	manager, err := session.New(&session.Options{
		Sandbox:       sandbox.Options{Runtime: "python-datascience", Memory: 512 << 20},
		WorkspaceRoot: "/srv/workspaces",
		Max:           100,
		OnRelease:     func(id string, why session.Reason) { log.Println(id, why) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close()

	http.HandleFunc("POST /run", func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth() // a proxy in front has checked the password
		sb, err := manager.Get(r.Context(), user, nil)
		switch {
		case errors.Is(err, session.ErrFull):
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		case err != nil:
			http.Error(w, "no sandbox", http.StatusInternalServerError)
			return
		}
		cmd := sb.Command("python3", "-")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = r.Body, w, w
		if _, err := cmd.Run(r.Context()); err != nil {
			log.Println(err)
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}

func ExampleNew() {
	manager, err := session.New(nil) // all defaults; nothing is started yet
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(manager.Count())
	fmt.Println(manager.Close())

	_, err = manager.Get(context.Background(), "ada", nil)
	fmt.Println(err)
	fmt.Println(errors.Is(err, session.ErrClosed))
	// Output:
	// 0
	// <nil>
	// session "ada": get: session manager is closed
	// true
}

func ExampleError() {
	manager, err := session.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer manager.Close()

	_, err = manager.Get(context.Background(), "../etc", nil)
	var e *session.Error
	if errors.As(err, &e) {
		fmt.Println(e.Op, e.ID, errors.Is(err, session.ErrInvalidID))
	}
	fmt.Println(err)
	// Output:
	// get ../etc true
	// session "../etc": get: invalid session id: it begins with ".": write 1 to 64 ASCII letters, digits, '.', '_' and '-', beginning with a letter or digit
}
