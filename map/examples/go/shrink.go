// shrink.go: shrink.c in Go: deleting does not give a map's memory back. Where the
// C program shrinks, this one copies what is left into a new map.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
)

const few = 1000

var (
	m     map[int]int
	start uint64
)

func heapAlloc() uint64 {
	// Twice: what the first finds unreachable is swept by the second.
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

func row(what string) {
	fmt.Printf("%-25s HeapAlloc (B) %12d\n", what, heapAlloc()-start)
}

func rebuild() {
	rebuilt := make(map[int]int, len(m))
	for k, v := range m {
		rebuilt[k] = v
	}
	m = rebuilt
}

func main() {
	n := 1000000
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	debug.SetGCPercent(-1)
	start = heapAlloc()
	m = make(map[int]int)
	for i := 0; i < n; i++ {
		m[i] = i
	}
	row("full:")
	for i := few; i < n; i++ {
		delete(m, i)
	}
	row("all but 1000 deleted:")
	rebuild()
	row("shrunk:")

	for i := 0; i < n; i++ {
		m[i] = i
	}
	for i := 0; i < n; i++ {
		delete(m, i)
	}
	row("full again, all deleted:")
	rebuild()
	row("shrunk again:")
	runtime.KeepAlive(m)
}
