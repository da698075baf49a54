//go:build !amd64

package main

func ticks() uint64 {
	return uint64(wallNs())
}
