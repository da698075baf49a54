// memstats.go: memstats.c in Go: what making a map allocates.
package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// A map that is reachable from here is allocated on the heap, as in C.
var m map[int]int

func memstats() (s runtime.MemStats) {
	runtime.ReadMemStats(&s)
	return
}

func row(hint int, what string, value uint64) {
	fmt.Printf("make with %4d, %-24s %12d\n", hint, what, value)
}

func measure(hint int) {
	before := memstats()
	m = make(map[int]int, hint)
	after := memstats()
	row(hint, "HeapAlloc (B)", after.HeapAlloc-before.HeapAlloc)
	row(hint, "TotalAlloc (B)", after.TotalAlloc-before.TotalAlloc)
	row(hint, "Mallocs", after.Mallocs-before.Mallocs)
}

func main() {
	// No collection between before and after.
	debug.SetGCPercent(-1)
	measure(0)
	measure(1000)
}
