package tools

import "context"

// pathLock is held by the one call that changes a path.
type pathLock struct {
	held  chan struct{} // has room for one
	users int
}

// lock waits until no other call of this Set changes the path.
func (s *Set) lock(ctx context.Context, real string) (unlock func(), err error) {
	s.mu.Lock()
	l := s.locks[real]
	if l == nil {
		l = &pathLock{held: make(chan struct{}, 1)}
		s.locks[real] = l
	}
	l.users++
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(s.locks, real)
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
