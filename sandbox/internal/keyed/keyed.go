// Package keyed has a mutex for each key of a set that nobody knows beforehand.
package keyed

import (
	"context"
	"reflect"
	"sync"
)

// Mutex is a mutex for each key. The zero value is ready to use.
type Mutex[K comparable] struct {
	mu   sync.Mutex
	held map[K]chan struct{} // closed when the holder is done
}

// Lock waits until nobody else holds the key, or until ctx ends: then the error is the
// cause of ctx.
func (m *Mutex[K]) Lock(ctx context.Context, key K) (unlock func(), err error) {
	for {
		m.mu.Lock()
		other, busy := m.held[key]
		if !busy {
			mine := make(chan struct{})
			if m.held == nil {
				m.held = make(map[K]chan struct{})
			}
			m.held[key] = mine
			m.mu.Unlock()
			return func() {
				m.mu.Lock()
				delete(m.held, key)
				m.mu.Unlock()
				close(mine)
			}, nil
		}
		m.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Comparable returns v as a key of a map, or nil if v cannot be one, such as a struct that
// holds a slice: all of those share a key.
func Comparable(v any) any {
	if v == nil || !reflect.ValueOf(v).Comparable() {
		return nil
	}
	return v
}
