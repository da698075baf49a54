// go_semantics runs a script of map operations on ordinary maps of whatever Go builds it,
// and prints what each returns. semantics.py makes the scripts and compares the output
// with that of c_map.c.
//
//	go_semantics SCRIPT DELIVERIES >RESULTS
//
// Nothing of the runtime's inside is used: maps, range, and reflect's iterators, which can
// be left and gone on with.
package main

import (
	"bufio"
	"math"
	"math/bits"
	"os"
	"reflect"
	"strconv"
	"strings"
)

const (
	wrong           = 0xdeaddeaddeaddead // never a value of a script
	iterators       = 16
	bigKey, bigElem = 17, 25
	absurd          = 1 << 63 // a hint above is none, as it is for a map with one
)

var results, deliveries *bufio.Writer

func write(w *bufio.Writer, xs ...uint64) {
	var buf [20]byte
	for _, x := range xs {
		w.Write(strconv.AppendUint(buf[:0], x, 10))
		w.WriteByte(' ')
	}
}

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// A world is the maps of one kind, by a script's words.
type world interface {
	begin()
	run(op string, a []uint64)
}

type iterator[K comparable, V any] struct {
	it *reflect.MapIter // nil: ended
	of map[K]V
}

// Operations are on m; other is its clone, or what it was cloned from.
type maps[K comparable, V any] struct {
	key      func(uint64) K
	word     func(K) uint64
	elem     func(uint64) V
	value    func(V) uint64
	m, other map[K]V
	its      [iterators]iterator[K, V]
}

func (w *maps[K, V]) begin() {
	w.m, w.other = nil, nil
	w.its = [iterators]iterator[K, V]{}
}

func (w *maps[K, V]) put(key, value uint64) (fresh, before uint64) {
	k := w.key(key)
	n := len(w.m)
	before = w.value(w.m[k])
	w.m[k] = w.elem(value)
	return truth(len(w.m) != n), before
}

func (w *maps[K, V]) delete(key uint64) uint64 {
	n := len(w.m)
	delete(w.m, w.key(key))
	return truth(len(w.m) != n)
}

func same[K comparable, V any](a, b map[K]V) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

func (w *maps[K, V]) step(i int) bool {
	it := &w.its[i]
	if it.it == nil || !it.it.Next() {
		it.it = nil
		write(deliveries, uint64(i))
		deliveries.WriteString("end\n")
		return false
	}
	write(deliveries, uint64(i), w.word(it.it.Key().Interface().(K)),
		w.value(it.it.Value().Interface().(V)))
	deliveries.WriteByte('\n')
	return true
}

func (w *maps[K, V]) result(xs ...uint64) {
	write(results, uint64(len(w.m)))
	results.WriteString("| ")
	write(results, xs...)
	results.WriteByte('\n')
}

func (w *maps[K, V]) run(op string, a []uint64) {
	switch op {
	case "make":
		w.its = [iterators]iterator[K, V]{}
		hint := a[0]
		if hint >= absurd {
			hint = 0
		}
		w.m = make(map[K]V, int(hint))
		w.result()
	case "put":
		w.result(w.put(a[0], a[1]))
	case "del":
		w.result(w.delete(a[0]))
	case "get":
		v, ok := w.m[w.key(a[0])]
		if ok {
			w.result(1, w.value(v))
		} else {
			w.result(0)
		}
	case "clear":
		w.m = empty(w.m)
		w.result()
	case "clone":
		for i := range w.its {
			if w.other != nil && w.its[i].it != nil && same(w.its[i].of, w.other) {
				w.its[i].it = nil
			}
		}
		w.other = clone(w.m)
		w.result()
	case "swap":
		if w.other != nil {
			w.m, w.other = w.other, w.m
		}
		w.result()
	case "reserve", "shrink", "evacuate": // no matter of Go's programs
		w.result()
	case "iter":
		w.its[a[0]] = iterator[K, V]{reflect.ValueOf(w.m).MapRange(), w.m}
		w.step(int(a[0]))
		w.result()
	case "step":
		w.step(int(a[0]))
		w.result()
	case "drain":
		for w.step(int(a[0])) {
		}
		w.result()
	case "end":
		w.its[a[0]].it = nil
		w.result()
	case "walk":
		var n, sum, odd uint64
		for k, v := range w.m {
			x := mix(w.word(k) ^ mix(w.value(v)))
			n++
			sum += x
			odd ^= bits.RotateLeft64(x, int(x&63))
		}
		w.result(n, sum, odd)
	case "cull": // one loop that deletes all entries but each A-th, as it comes by
		var n uint64
		for k, v := range w.m {
			n++
			if mix(w.word(k)^mix(w.value(v)))%a[0] != 0 {
				delete(w.m, k)
			}
		}
		w.result(n)
	case "wipe": // one loop that clears the map at its A-th entry, and goes on
		var n uint64
		for range w.m {
			n++
			if n == a[0] {
				w.m = empty(w.m)
				if !clears {
					break
				}
			}
		}
		w.result(n)
	case "fill", "drop": // FIRST COUNT STRIDE
		for i := uint64(0); i < a[1]; i++ {
			var x uint64
			if op == "fill" {
				x, _ = w.put(a[0]+i*a[2], i)
			} else {
				x = w.delete(a[0] + i*a[2])
			}
			if i%every == 0 {
				w.result(x)
			}
		}
		w.result()
	default:
		panic(op)
	}
}

var every uint64

func id(x uint64) uint64 { return x }

func nothing(uint64) struct{} { return struct{}{} }

func zero(struct{}) uint64 { return 0 }

func text(x uint64) string { return strconv.FormatUint(x, 10) }

func number(s string) uint64 {
	x, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		panic(err)
	}
	return x
}

func toBigKey(x uint64) (k [bigKey]uint64) {
	for i := range k {
		k[i] = x + uint64(i)
	}
	return k
}

func ofBigKey(k [bigKey]uint64) uint64 {
	if toBigKey(k[0]) != k {
		return wrong
	}
	return k[0]
}

func toBigElem(x uint64) (e [bigElem]uint64) {
	for i := range e {
		e[i] = x
	}
	return e
}

func ofBigElem(e [bigElem]uint64) uint64 {
	if toBigElem(e[0]) != e {
		return wrong
	}
	return e[0]
}

var kinds = map[string]world{
	"u64": &maps[uint64, uint64]{key: id, word: id, elem: id, value: id},
	"f64": &maps[float64, uint64]{key: math.Float64frombits, word: math.Float64bits,
		elem: id, value: id},
	"str": &maps[string, uint64]{key: text, word: number, elem: id, value: id},
	"set": &maps[uint64, struct{}]{key: id, word: id, elem: nothing, value: zero},
	"big": &maps[[bigKey]uint64, [bigElem]uint64]{key: toBigKey, word: ofBigKey,
		elem: toBigElem, value: ofBigElem},
}

func main() {
	script, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	file, err := os.Create(os.Args[2])
	if err != nil {
		panic(err)
	}
	results = bufio.NewWriterSize(os.Stdout, 1<<16)
	deliveries = bufio.NewWriterSize(file, 1<<16)
	var w world
	lines := bufio.NewScanner(script)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if f[0] == "script" { // script NAME KIND MIX AND XOR EVERY
			results.WriteString("script " + f[1] + "\n")
			w = kinds[f[2]]
			w.begin()
			every = number(f[6])
			continue
		}
		var a [4]uint64
		for i := range f[1:] {
			a[i] = number(f[i+1])
		}
		w.run(f[0], a[:])
	}
	if lines.Err() != nil || results.Flush() != nil || deliveries.Flush() != nil {
		panic("reading or writing")
	}
}
