package tools

import "context"

// pathLock is held by the call that changes a path.
type pathLock struct {
	held  chan struct{} // has room for one value, which whoever holds the lock has put there
	users int           // how many calls hold it or wait for it
}

// lock waits until no other call of this Set changes the path. A key that does not begin
// with "/" locks something else.
func (s *Set) lock(ctx context.Context, key string) (unlock func(), err error) {
	s.mu.Lock()
	l := s.locks[key]
	if l == nil {
		l = &pathLock{held: make(chan struct{}, 1)}
		s.locks[key] = l
	}
	l.users++
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(s.locks, key)
		}
	}
	select {
	case l.held <- struct{}{}:
		return func() { <-l.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}
