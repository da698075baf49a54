//go:build !go1.21

package main

const clears = false

func empty[K comparable, V any](m map[K]V) map[K]V {
	return make(map[K]V)
}

func clone[K comparable, V any](m map[K]V) map[K]V {
	c := make(map[K]V, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}
