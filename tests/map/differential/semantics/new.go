//go:build go1.21

package main

import stdmaps "maps"

// clears: whether the language has clear, and iterators that end at it.
const clears = true

func empty[K comparable, V any](m map[K]V) map[K]V {
	clear(m)
	return m
}

func clone[K comparable, V any](m map[K]V) map[K]V {
	return stdmaps.Clone(m)
}
