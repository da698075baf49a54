// growth.go: growth.c in Go: the slowest single insert while a map grows. The
// collector is on, as in any Go program.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func key(i uint64) uint64 {
	return i * 0x9e3779b97f4a7c15
}

type times struct {
	worst, total       time.Duration
	over100us, over1ms int
}

func fill(n uint64) (t times) {
	m := make(map[uint64]uint64)
	start := time.Now()
	for i := uint64(0); i < n; i++ {
		before := time.Now()
		m[key(i)] = i
		took := time.Since(before)
		if took > t.worst {
			t.worst = took
		}
		if took > 100*time.Microsecond {
			t.over100us++
		}
		if took > time.Millisecond {
			t.over1ms++
		}
	}
	t.total = time.Since(start)
	return
}

func main() {
	n, rounds := uint64(10000000), 3
	if len(os.Args) > 1 {
		n, _ = strconv.ParseUint(os.Args[1], 10, 64)
	}
	if len(os.Args) > 2 {
		rounds, _ = strconv.Atoi(os.Args[2])
	}
	best := times{worst: 1<<63 - 1}
	for i := 0; i < rounds; i++ {
		if t := fill(n); t.worst < best.worst {
			best = t
		}
	}
	micro := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	fmt.Printf("%-39s %12.1f\n", "slowest insert (us)", micro(best.worst))
	fmt.Printf("%-39s %12d\n", "inserts above 100 us", best.over100us)
	fmt.Printf("%-39s %12d\n", "inserts above 1 ms", best.over1ms)
	fmt.Printf("%-39s %12.1f\n", "all inserts (ms)", micro(best.total)/1000)
}
