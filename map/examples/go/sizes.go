// sizes.go: sizes.c in Go: how large a map variable is, and what is behind it.
package main

import (
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"unsafe"
)

var m map[int]int

func heapAlloc() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

func row(what string, value uint64) {
	fmt.Printf("%-39s %12d\n", what, value)
}

func main() {
	debug.SetGCPercent(-1)
	start := heapAlloc()
	m = make(map[int]int)
	made := heapAlloc()
	m[1] = 1
	first := heapAlloc()
	for i := 2; i <= 8; i++ {
		m[i] = i
	}
	eighth := heapAlloc()
	m[9] = 9
	ninth := heapAlloc()
	row("a map variable", uint64(unsafe.Sizeof(m)))
	row("its header, by make", made-start)
	row("a bucket, by the first entry", first-made)
	row("more, by entries 2 to 8", eighth-first)
	row("more, by entry 9, while growing", ninth-eighth)
	// reflect's iterator holds a copy of the runtime's.
	if hiter, ok := reflect.TypeOf(reflect.MapIter{}).FieldByName("hiter"); ok {
		row("an iterator", uint64(hiter.Type.Size()))
	}
}
