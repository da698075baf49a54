// main.go: the workloads of ../driver.h and ../workloads.h for Go's own map,
// number for number: the same keys in the same order, the same checks.
// kind.go.in is what there is once for each kind of keys and elements.
//
// Keys and all else that is not a map lies outside of Go's heap, so that the
// collector has the maps to look at and nothing else.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	sequence    = 1 << 20
	sequenceStr = 1 << 18
	probesMax   = 1 << 21
	smallMax    = 100
	smallMaps   = 64
	batch       = 4096
	smallTimes  = 5
	bytesInAll  = 32768
	strMin      = 8
	strMax      = 24
	failed      = 3
)

type plan struct {
	wanted map[string]bool
	size   int
	minNs  int64
	warm   bool
}

type wide struct {
	w0, w1, w2, w3, w4, w5, w6, w7 uint64
}

func fail(what string) {
	fmt.Fprintf(os.Stderr, "go: %s\n", what)
	os.Exit(failed)
}

var start = time.Now()
var wall = false

func wallNs() int64 {
	return int64(time.Since(start))
}

// What the process has had of the CPUs, the collector's threads included.
func nowNs() int64 {
	if wall {
		return wallNs()
	}
	const processCPUTime = 2
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, processCPUTime,
		uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

// Keys.

func splitmix64(n uint64) uint64 {
	x := (n + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func permute32(x uint32) uint32 {
	x = (x ^ x>>16) * 0x7feb352d
	x = (x ^ x>>15) * 0x846ca68b
	return x ^ x>>16
}

func nthU64(n uint64, _ *[]byte) uint64 {
	return splitmix64(n)
}

func nthU32(n uint64, _ *[]byte) uint32 {
	return permute32(uint32(n))
}

func nthWide(n uint64, room *[]byte) uint64 {
	return splitmix64(n)
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" +
	"abcdefghijklmnopqrstuvwxyz0123456789+-"

func nthStr(n uint64, room *[]byte) string {
	size := int(strMin + splitmix64(n)%(strMax-strMin+1))
	data := (*room)[:size]
	var word uint64
	for i := range data {
		if i%10 == 0 {
			word = splitmix64(^(n*3 + uint64(i)/10))
		}
		data[i] = letters[word&63]
		word >>= 6
	}
	*room = (*room)[size+1:]
	return *(*string)(unsafe.Pointer(&data))
}

func valueU64(key uint64) uint64  { return key >> 7 }
func valueU32(key uint32) uint64  { return uint64(key >> 3) }
func valueWide(key uint64) uint64 { return key >> 7 }
func valueStr(key string) uint64 {
	return uint64(len(key))<<8 | uint64(key[strMin-1])
}

func packU64(value uint64) uint64 { return value }
func packU32(value uint64) uint32 { return uint32(value) }
func packStr(value uint64) uint64 { return value }
func packWide(value uint64) wide {
	return wide{value, value, value, value, value, value, value, value}
}

// memory returns bytes outside of Go's heap.
func memory(size int) []byte {
	if size == 0 {
		return nil
	}
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_POPULATE)
	if err != nil {
		fail("out of memory")
	}
	return b
}

func release(b []byte) {
	if b != nil {
		syscall.Munmap(b)
	}
}

// array returns n items in memory outside of Go's heap, and that memory.
func array[T any](n int) ([]T, []byte) {
	var item T
	b := memory(n * int(unsafe.Sizeof(item)))
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n), b
}

func random(state *uint64) uint64 {
	x := *state
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	*state = x
	return x
}

func shuffle(numbers []uint32, state *uint64) {
	for i := uint64(len(numbers)); i > 1; i-- {
		j := (random(state) >> 32) * i >> 32
		numbers[i-1], numbers[j] = numbers[j], numbers[i-1]
	}
}

// Results.

var results []string

func emit(op string, ns int64, nops int, check uint64) {
	results = append(results,
		fmt.Sprintf(`"%s": {"ns": %.4f, "ops": %d, "check": %d}`, op,
			float64(ns)/float64(nops), nops, check))
}

// heapBytes returns what live objects take, once the collector has been
// through.
func heapBytes() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func emitBytes(full, empty, deleted int64, nmaps, size int) {
	entries, each := float64(nmaps*size), float64(nmaps)
	results = append(results, fmt.Sprintf(`"bytes": {"full": %.3f, `+
		`"empty_map": %.1f, "deleted_map": %.1f, "shrunk_map": %.1f, `+
		`"maps": %d}`, float64(full)/entries, float64(empty)/each,
		float64(deleted)/each, float64(deleted)/each, nmaps))
}

// A stopwatch keeps the times of single operations, in ticks.
type stopwatch struct {
	times      []uint32
	memory     []byte
	beginTicks uint64
	beginNs    int64
}

func newStopwatch(n int) *stopwatch {
	s := new(stopwatch)
	s.times, s.memory = array[uint32](n)
	s.beginNs = wallNs()
	s.beginTicks = ticks()
	return s
}

func (s *stopwatch) note(i int, begin, end uint64) {
	time := end - begin
	if time > 1<<32-1 {
		time = 1<<32 - 1
	}
	s.times[i] = uint32(time)
}

func (s *stopwatch) quantile(rest uint64) uint32 {
	above := uint32(uint64(len(s.times)) / rest)
	var counts [1 << 16]uint32
	for _, t := range s.times {
		counts[t>>16]++
	}
	high := uint32(1<<16 - 1)
	for counts[high] <= above {
		above -= counts[high]
		high--
	}
	counts = [1 << 16]uint32{}
	for _, t := range s.times {
		if t>>16 == high {
			counts[t&(1<<16-1)]++
		}
	}
	low := uint32(1<<16 - 1)
	for counts[low] <= above {
		above -= counts[low]
		low--
	}
	return high<<16 | low
}

func (s *stopwatch) emit(check uint64) {
	nsPerTick := float64(wallNs()-s.beginNs) / float64(ticks()-s.beginTicks)
	line := `"latency": {`
	for _, q := range []struct {
		name string
		rest uint64
	}{{"p50", 2}, {"p99", 100}, {"p99.9", 1000}, {"p99.99", 10000},
		{"max", 1<<64 - 1}} {
		line += fmt.Sprintf(`"%s": %.1f, `, q.name,
			float64(s.quantile(q.rest))*nsPerTick)
	}
	results = append(results, line+fmt.Sprintf(`"ops": %d, "check": %d}`,
		len(s.times), check))
	release(s.memory)
}

func number(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil || n < 1 {
		fail("arguments are missing or wrong; scripts/bench has them")
	}
	return n
}

func main() {
	if len(os.Args) < 4 {
		fail("arguments are missing or wrong; scripts/bench has them")
	}
	p := plan{map[string]bool{}, number(os.Args[3]), 100 * 1000000, false}
	if len(os.Args) > 4 {
		p.minNs = int64(number(os.Args[4])) * 1000000
	}
	if len(os.Args) > 5 {
		p.warm = strings.Contains(os.Args[5], "warm")
		wall = strings.Contains(os.Args[5], "wall")
	}
	for _, name := range strings.Split(os.Args[1], ",") {
		p.wanted[name] = true
	}
	switch os.Args[2] {
	case "u64":
		runU64(p)
	case "u32":
		runU32(p)
	case "str":
		runStr(p)
	case "wide":
		runWide(p)
	default:
		fail("no such kind of keys and elements")
	}
	fmt.Printf("{%s}\n", strings.Join(results, ", "))
}
