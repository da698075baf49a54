// hints.go: hints.c in Go: what a hint saves.
package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

var m map[int]int

func memstats() (s runtime.MemStats) {
	runtime.ReadMemStats(&s)
	return
}

func row(hint int, what string, value uint64) {
	fmt.Printf("hint %3d, %-29s %12d\n", hint, what, value)
}

func measure(hint int) {
	m = nil
	runtime.GC()
	before := memstats()
	m = make(map[int]int, hint)
	for i := 0; i < 1000; i++ {
		m[i] = i
	}
	after := memstats()
	// What the map left behind is garbage: counted as allocated, not as held.
	runtime.GC()
	held := memstats().HeapAlloc
	row(hint, "bytes allocated", after.TotalAlloc-before.TotalAlloc)
	row(hint, "allocations", after.Mallocs-before.Mallocs)
	row(hint, "bytes held at the end", held-before.HeapAlloc)
	row(hint, "HeapInuse (B)", after.HeapInuse)
	row(hint, "HeapSys (B)", after.HeapSys)
	runtime.KeepAlive(m)
}

func main() {
	debug.SetGCPercent(-1)
	// The first collection starts the collector's workers, which allocate.
	runtime.GC()
	for _, hint := range []int{0, 8, 64, 512} {
		measure(hint)
	}
}
