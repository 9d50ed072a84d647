package keyed

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/matryer/is"
)

func TestMutex(t *testing.T) {
	is := is.New(t)
	var m Mutex[string]
	var all sync.WaitGroup
	counts := map[string]*int{"a": new(int), "b": new(int)} // guarded by m
	for key, n := range counts {
		for range 100 {
			all.Go(func() {
				unlock, err := m.Lock(context.Background(), key)
				if err == nil {
					*n++
					unlock()
				}
			})
		}
	}
	all.Wait()
	is.Equal(*counts["a"], 100)
	is.Equal(*counts["b"], 100)
	is.Equal(len(m.held), 0) // no key stays

	unlock, err := m.Lock(context.Background(), "a")
	is.NoErr(err)
	other, err := m.Lock(context.Background(), "b")
	is.NoErr(err) // another key is free
	other()
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	_, err = m.Lock(ctx, "a")
	is.Equal(err, why)
	unlock()
}

func TestComparable(t *testing.T) {
	type withSlice struct{ _ []int }
	type withAny struct{ v any }
	pointer := new(int)
	for name, test := range map[string]struct{ in, want any }{
		"pointer":                       {pointer, pointer},
		"struct":                        {struct{ n int }{1}, struct{ n int }{1}},
		"nil":                           {nil, nil},
		"struct with a slice":           {withSlice{}, nil},
		"map":                           {map[int]int{}, nil},
		"interface that holds a slice":  {withAny{[]int{}}, nil},
		"interface that holds a number": {withAny{1}, withAny{1}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(Comparable(test.in), test.want)
		})
	}
}
