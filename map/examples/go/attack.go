// attack.go: attack.c in Go, whose maps are seeded too. Chains cannot be seen from
// outside here; the time can.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// The best of some rounds, as in attack.c.
const rounds = 5

const (
	mul1 = 0xff51afd7ed558ccd
	mul2 = 0xc4ceb9fe1a85ec53
)

func inverse(x uint64) uint64 {
	y := x
	for bits := 3; bits < 64; bits *= 2 {
		y *= 2 - x*y
	}
	return y
}

var inverse1, inverse2 = inverse(mul1), inverse(mul2)

func murmurBackwards(hash uint64) uint64 {
	x := (hash ^ hash>>33) * inverse2
	x = (x ^ x>>33) * inverse1
	return x ^ x>>33
}

func attackKey(i uint64) uint64   { return murmurBackwards(i << 24) }
func ordinaryKey(i uint64) uint64 { return i }

func measure(what string, key func(uint64) uint64, n uint64) {
	put, get := time.Duration(1<<63-1), time.Duration(1<<63-1)
	for round := 0; round < rounds; round++ {
		m := make(map[uint64]uint64)
		start := time.Now()
		for i := uint64(0); i < n; i++ {
			m[key(i)] = i
		}
		filled := time.Now()
		for i := uint64(0); i < n; i++ {
			if _, ok := m[key(i)]; !ok {
				panic("a key is not there")
			}
		}
		read := time.Now()
		if took := filled.Sub(start); took < put {
			put = took
		}
		if took := read.Sub(filled); took < get {
			get = took
		}
	}
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(n) }
	fmt.Printf("%-24s ns an insert   %12.1f\n", what, each(put))
	fmt.Printf("%-24s ns a lookup    %12.1f\n", what, each(get))
}

func main() {
	n := uint64(20000)
	if len(os.Args) > 1 {
		n, _ = strconv.ParseUint(os.Args[1], 10, 64)
	}
	measure("seeded, ordinary keys:", ordinaryKey, n)
	measure("seeded, attack keys:", attackKey, n)
}
