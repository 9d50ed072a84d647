package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// userChannel is the connection to a second guest, which runs the commands of another user.
// PID 1 has no capabilities, so it could neither become that user nor end its processes.
type userChannel struct {
	ready chan struct{} // closed when ch or err is set
	conn  engine.Conn
	ch    *channel.Channel
	err   error
}

// channelOf returns the channel for the commands of a user; "" is the sandbox's own.
func (sb *Sandbox) channelOf(ctx context.Context, user string) (*channel.Channel, error) {
	if user == "" {
		return sb.ch, nil
	}
	if !slices.Contains(sb.config.Users, user) {
		return nil, fmt.Errorf("%w: %q is not one of Options.Users", ErrUser, user)
	}
	if sb.Paused() {
		return nil, ErrPaused
	}
	sb.mu.Lock()
	u := sb.users[user]
	if u == nil {
		u = &userChannel{ready: make(chan struct{})}
		if sb.users == nil {
			sb.users = make(map[string]*userChannel)
		}
		sb.users[user] = u
		// The guest outlives this call and ends with the sandbox.
		go sb.openUser(u, user)
	}
	sb.mu.Unlock()
	select {
	case <-u.ready:
		return u.ch, u.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// userChannels returns the channels of other users that are open.
func (sb *Sandbox) userChannels() (open []*channel.Channel) {
	sb.mu.Lock()
	defer sb.mu.Unlock()
	for _, u := range sb.users {
		select {
		case <-u.ready:
			open = append(open, u.ch) // guests that failed are not in the map
		default:
		}
	}
	return open
}

// openUser starts the guest of a user. After a failure the next command tries again.
func (sb *Sandbox) openUser(u *userChannel, user string) {
	sb.stateMu.Lock() // until u is ready: a Pause before that would not hold it
	defer sb.stateMu.Unlock()
	defer close(u.ready)
	ctx, cancel := context.WithTimeoutCause(sb.ctx, sb.config.StartTimeout,
		fmt.Errorf("the guest of user %s did not start within %v", user, sb.config.StartTimeout))
	defer cancel()
	if u.err = ErrPaused; !sb.Paused() {
		u.ch, u.conn, u.err = sb.connectUser(ctx, user)
	}
	sb.mu.Lock()
	defer sb.mu.Unlock()
	if u.err != nil {
		delete(sb.users, user)
		return
	}
	sb.background.Go(func() {
		select {
		case <-u.ch.Done():
			// Only processes of that user can have ended it. Its commands are lost.
			go sb.fail(fmt.Errorf("%w: of user %s: %w", errGuestGone, user, u.ch.Err()))
		case <-sb.ctx.Done():
			u.ch.Fail(sb.ch.Err()) // the user's commands end for the same reason as the sandbox
		}
		u.ch.Close()
		u.conn.Close()
		u.ch.Wait()
	})
}

var errGuestGone = errors.New("a guest is gone")

// connectUser starts a guest as a user and opens a channel to it.
func (sb *Sandbox) connectUser(ctx context.Context, user string) (*channel.Channel, engine.Conn, error) {
	e, err := engine.Require[engine.UserConnector](ctx, sb.config.Engine)
	if err != nil {
		return nil, nil, err
	}
	conn, err := e.ConnectUser(ctx, sb.spec.Name, user)
	if err != nil {
		return nil, nil, err
	}
	ch, _, err := openChannel(ctx, conn, wire.HostHello{Dir: []byte(sb.workDir), Env: envBytes(sb.env())})
	// docker 20.10 writes this error to the command's stdout.
	if err != nil && !errors.Is(err, ErrUser) && strings.Contains(err.Error(), "unable to find user") {
		err = fmt.Errorf("%w: %w", ErrUser, err)
	}
	return ch, conn, err
}
