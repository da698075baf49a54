// go_map runs a script of map operations on the maps of Go 1.19's runtime and
// prints the map's state after each. differential.py makes the scripts, tells
// their language, and compares the output with that of c_map.c.
//
//	go_map SCRIPT DELIVERIES >STATES
//
// The runtime's generic functions are called by linkname, with map types of our
// own: copies of the compiler's whose hash function is replaced by one that both
// sides have. So each entry lands in the same place on both.
package main

import (
	"bufio"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"unsafe"
)

// As in runtime/type.go and runtime/map.go of Go 1.19.

type rtype struct {
	size       uintptr
	ptrdata    uintptr
	hash       uint32
	tflag      uint8
	align      uint8
	fieldAlign uint8
	kind       uint8
	equal      func(unsafe.Pointer, unsafe.Pointer) bool
	gcdata     *byte
	str        int32
	ptrToThis  int32
}

type maptype struct {
	typ        rtype
	key        *rtype
	elem       *rtype
	bucket     *rtype
	hasher     func(unsafe.Pointer, uintptr) uintptr
	keysize    uint8
	elemsize   uint8
	bucketsize uint16
	flags      uint32
}

type hmap struct {
	count      int
	flags      uint8
	B          uint8
	noverflow  uint16
	hash0      uint32
	buckets    unsafe.Pointer
	oldbuckets unsafe.Pointer
	nevacuate  uintptr
	extra      unsafe.Pointer
}

type hiter struct {
	key         unsafe.Pointer
	elem        unsafe.Pointer
	t           *maptype
	h           *hmap
	buckets     unsafe.Pointer
	bptr        unsafe.Pointer
	overflow    unsafe.Pointer
	oldoverflow unsafe.Pointer
	startBucket uintptr
	offset      uint8
	wrapped     bool
	B           uint8
	i           uint8
	bucket      uintptr
	checkBucket uintptr
}

//go:linkname makemap runtime.makemap
func makemap(t *maptype, hint int, h *hmap) *hmap

//go:linkname mapassign runtime.mapassign
func mapassign(t *maptype, h *hmap, key unsafe.Pointer) unsafe.Pointer

//go:linkname mapaccess2 runtime.mapaccess2
func mapaccess2(t *maptype, h *hmap, key unsafe.Pointer) (unsafe.Pointer, bool)

//go:linkname mapdelete runtime.mapdelete
func mapdelete(t *maptype, h *hmap, key unsafe.Pointer)

//go:linkname mapclear runtime.mapclear
func mapclear(t *maptype, h *hmap)

//go:linkname mapiterinit runtime.mapiterinit
func mapiterinit(t *maptype, h *hmap, it *hiter)

//go:linkname mapiternext runtime.mapiternext
func mapiternext(it *hiter)

const (
	sameSizeGrow = 8
	wrong        = 0xdeaddeaddeaddead // never a value of a script
	iterators    = 16
	exactB       = 16 // from here on noverflow counts by chance, and ours moves buckets in order
)

// The hash: the script says how.
var hashMix bool
var hashAnd, hashXor uint64

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func hash(x uint64) uintptr {
	if hashMix {
		x = mix(x)
	}
	return uintptr(x&hashAnd ^ hashXor)
}

func hashWord(p unsafe.Pointer, seed uintptr) uintptr {
	return hash(*(*uint64)(p))
}

func hashFloat(p unsafe.Pointer, seed uintptr) uintptr {
	if *(*float64)(p) == 0 {
		return hash(0) // -0 too
	}
	return hash(*(*uint64)(p))
}

// A kind of map, its keys and elements as a script has them: words.
type kind struct {
	t     *maptype
	words int // of a key
	elems int // words of an element
}

const bigKey, bigElem = 17, 25 // above 128 bytes: stored apart

func typeOf(m interface{}, hasher func(unsafe.Pointer, uintptr) uintptr) *maptype {
	t := new(maptype)
	*t = **(**maptype)(unsafe.Pointer(&m))
	t.hasher = hasher
	return t
}

var kinds = map[string]*kind{
	"u64": {typeOf(map[uint64]uint64{}, hashWord), 1, 1},
	"f64": {typeOf(map[float64]uint64{}, hashFloat), 1, 1},
	"big": {typeOf(map[[bigKey]uint64][bigElem]uint64{}, hashWord), bigKey, bigElem},
	"set": {typeOf(map[uint64]struct{}{}, hashWord), 1, 0},
}

var k *kind
var h *hmap
var its [iterators]*hiter   // nil: ended
var dropped [iterators]bool // by us, before its end
var every int
var states, deliveries *bufio.Writer
var keybuf [bigKey]uint64

// keyOf spreads a script's key over all words of a key.
func keyOf(x uint64) unsafe.Pointer {
	for i := range keybuf {
		keybuf[i] = x + uint64(i)
	}
	return unsafe.Pointer(&keybuf)
}

func wordOfKey(p unsafe.Pointer) uint64 {
	a := (*[bigKey]uint64)(p)[:k.words:k.words]
	for i := range a {
		if a[i] != a[0]+uint64(i) {
			return wrong
		}
	}
	return a[0]
}

func wordOfElem(p unsafe.Pointer) uint64 {
	if k.elems == 0 {
		return 0
	}
	a := (*[bigElem]uint64)(p)[:k.elems:k.elems]
	for i := range a {
		if a[i] != a[0] {
			return wrong
		}
	}
	return a[0]
}

func appendUints(w *bufio.Writer, xs ...uint64) {
	var buf [20]byte
	for _, x := range xs {
		w.Write(strconv.AppendUint(buf[:0], x, 10))
		w.WriteByte(' ')
	}
}

// state prints what the operation returned, and the map's header.
func state(result ...uint64) {
	left := uint64(0)
	if h.oldbuckets != nil {
		oldB := h.B
		if h.flags&sameSizeGrow == 0 {
			oldB--
		}
		left = 1<<oldB - uint64(h.nevacuate)
	}
	appendUints(states, uint64(h.count), uint64(h.B))
	if h.B < exactB {
		appendUints(states, left, uint64(h.nevacuate),
			uint64(h.noverflow), uint64(h.flags))
	} else {
		states.WriteString("- - - ")
		appendUints(states, uint64(h.flags&^sameSizeGrow))
	}
	states.WriteString("| ")
	appendUints(states, result...)
	states.WriteByte('\n')
}

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func put(key, value uint64) (fresh, before uint64) {
	n, array, B := h.count, h.buckets, h.B
	p := mapassign(k.t, h, keyOf(key))
	if array != nil && h.buckets != array && h.B == B {
		// A growth to the same size, which Go 1.19's iterators do not survive:
		// see differential.py.
		drop()
	}
	before = wordOfElem(p)
	if k.elems > 0 {
		a := (*[bigElem]uint64)(p)[:k.elems:k.elems]
		for i := range a {
			a[i] = value
		}
	}
	return truth(h.count != n), before
}

// drop ends all iterators before their end.
func drop() {
	for i := range its {
		dropped[i] = dropped[i] || its[i] != nil
		its[i] = nil
	}
}

func deliver(i int) bool {
	it := its[i]
	if it == nil || it.key == nil {
		its[i] = nil
		appendUints(deliveries, uint64(i))
		if dropped[i] {
			deliveries.WriteString("dropped\n")
		} else {
			deliveries.WriteString("end\n")
		}
		return false
	}
	appendUints(deliveries, uint64(i), wordOfKey(it.key), wordOfElem(it.elem))
	deliveries.WriteByte('\n')
	return true
}

func step(i int) bool {
	if its[i] != nil {
		mapiternext(its[i])
	}
	return deliver(i)
}

// walk iterates over the whole map: a count and two sums tell what came.
func walk() {
	var n, sum, odd uint64
	it := new(hiter)
	for mapiterinit(k.t, h, it); it.key != nil; mapiternext(it) {
		x := mix(wordOfKey(it.key) ^ mix(wordOfElem(it.elem)))
		n++
		sum += x
		odd ^= bits.RotateLeft64(x, int(x&63))
	}
	state(n, sum, odd)
}

func number(s string) uint64 {
	x, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		panic(err)
	}
	return x
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
	states = bufio.NewWriterSize(os.Stdout, 1<<16)
	deliveries = bufio.NewWriterSize(file, 1<<16)
	lines := bufio.NewScanner(script)
	for lines.Scan() {
		run(strings.Fields(lines.Text()))
	}
	if lines.Err() != nil || states.Flush() != nil || deliveries.Flush() != nil {
		panic("reading or writing")
	}
}

func run(f []string) {
	var a [4]uint64
	if f[0] != "script" {
		for i := range f[1:] {
			a[i] = number(f[i+1])
		}
	}
	switch f[0] {
	case "script": // script NAME KIND MIX AND XOR EVERY
		states.WriteString("script " + f[1] + "\n")
		k = kinds[f[2]]
		hashMix = number(f[3]) != 0
		hashAnd, hashXor = number(f[4]), number(f[5])
		every = int(number(f[6]))
	case "make":
		its = [iterators]*hiter{}
		h = makemap(k.t, int(a[0]), nil)
		state()
	case "put":
		fresh, before := put(a[0], a[1])
		state(fresh, before)
	case "del":
		n := h.count
		mapdelete(k.t, h, keyOf(a[0]))
		state(truth(h.count != n))
	case "get":
		p, ok := mapaccess2(k.t, h, keyOf(a[0]))
		if !ok {
			state(0)
		} else {
			state(1, wordOfElem(p))
		}
	case "clear":
		// Go 1.19's iterators may deliver what was cleared: see differential.py.
		if h.count > 0 {
			drop()
		}
		mapclear(k.t, h)
		state()
	case "iter":
		its[a[0]] = new(hiter)
		dropped[a[0]] = false
		mapiterinit(k.t, h, its[a[0]])
		deliver(int(a[0]))
		state()
	case "step":
		step(int(a[0]))
		state()
	case "drain":
		for step(int(a[0])) {
		}
		state()
	case "end":
		its[a[0]] = nil
		state()
	case "walk":
		walk()
	case "fill", "drop": // FIRST COUNT STRIDE
		for i := uint64(0); i < a[1]; i++ {
			key := a[0] + i*a[2]
			var result uint64
			if f[0] == "fill" {
				result, _ = put(key, i)
			} else {
				n := h.count
				mapdelete(k.t, h, keyOf(key))
				result = truth(h.count != n)
			}
			if int(i)%every == 0 {
				state(result)
			}
		}
		state()
	default:
		panic(f[0])
	}
}
