// workloads.h: the workloads, for the kind of keys and elements that KIND
// names; kinds.h includes it once for each. A peer has defined, with u64 for
// KIND,
//
//   u64_map                              the map
//   u64_make(hint), u64_drop(map)        on the heap
//   u64_insert(map, key, elem)           a key that is most likely not there
//   u64_update(map, key, elem)           a key that most likely is
//   u64_get(map, key, ret_value)         whether it is there
//   u64_delete(map, key)                 whether it was there
//   u64_sum(map)                         of all elements, by iteration
//   u64_local(keys, n)                   a map of n entries in a variable, made
//                                        and dropped; returns its length
//
// and HAS_HINT, HAS_LOCAL, HAS_SHRINK (u64_shrink), each 0 or 1.

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define K(name) PASTE(KIND, name)
#define key_type K(key)
#define map_type K(map)
#define keys_type struct K(keys)

// A sequence of keys. room is where their bytes are, for strings.
keys_type {
    key_type *at;
    uint64_t n;
    char *room;
};

static keys_type K(keys_alloc)(uint64_t n) {
    keys_type keys;
    keys.at = (key_type *)array_new(n, sizeof *keys.at);
    keys.n = n;
    keys.room = K(room) > 0 ? (char *)array_new(n, K(room)) : NULL;
    return keys;
}

static void K(keys_free)(keys_type *keys) {
    array_free(keys->at, keys->n, sizeof *keys->at);
    if (K(room) > 0) {
        array_free(keys->room, keys->n, K(room));
    }
}

// keys_first returns the first n keys, in their order.
static keys_type K(keys_first)(uint64_t n) {
    keys_type keys = K(keys_alloc)(n);
    char *room = keys.room;
    for (uint64_t i = 0; i < n; i++) {
        keys.at[i] = K(nth)(i, &room);
    }
    return keys;
}

// How many lookups go through maps of one size: whole rounds of all keys, or of
// the largest maps a part of one round.
static uint64_t K(round)(uint64_t nmaps, uint64_t size) {
    uint64_t n = nmaps * size;
    return n < PROBES_MAX ? n : (uint64_t)PROBES_MAX;
}

static uint64_t K(nrounds)(uint64_t nmaps, uint64_t size) {
    uint64_t n = nmaps * size;
    return n < K(sequence) ? K(sequence) / n : 1;
}

// keys_shuffled returns keys to look up: the i-th belongs to map i % nmaps,
// whose keys are size ones from first + i % nmaps * size on. Each round has all
// keys, in an order of its own, which is the same for each first.
static keys_type K(keys_shuffled)(uint64_t first, uint64_t nmaps,
                                  uint64_t size) {
    uint64_t nround = K(round)(nmaps, size), nrounds = K(nrounds)(nmaps, size);
    keys_type keys = K(keys_alloc)(nrounds * nround);
    char *room = keys.room;
    uint32_t *order = (uint32_t *)array_new(nmaps * size, sizeof *order);
    for (uint64_t i = 0; i < nmaps * size; i++) {
        order[i] = (uint32_t)i;
    }
    uint64_t state = 88172645463325252u;
    for (uint64_t round = 0; round < nrounds; round++) {
        for (uint64_t m = 0; m < nmaps; m++) {
            shuffle(order + m * size, size, &state);
        }
        for (uint64_t i = 0; i < nround; i++) {
            uint64_t n = order[i % nmaps * size + i / nmaps];
            keys.at[round * nround + i] = K(nth)(first + n, &room);
        }
    }
    array_free(order, nmaps * size, sizeof *order);
    return keys;
}

// The timed loops.

BENCH_TIMED void K(fill)(map_type **maps, uint64_t nmaps, uint64_t hint,
                         const key_type *key, uint64_t size) {
    for (uint64_t m = 0; m < nmaps; m++) {
        maps[m] = K(make)(hint);
        for (uint64_t i = 0; i < size; i++, key++) {
            K(insert)(maps[m], *key, K(pack)(K(value)(*key)));
        }
    }
}

BENCH_TIMED uint64_t K(get_all)(map_type **maps, uint64_t mask,
                                const key_type *keys, uint64_t n) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t value;
        if (K(get)(maps[i & mask], keys[i], &value)) {
            sum += value;
        }
    }
    return sum;
}

BENCH_TIMED void K(update_all)(map_type **maps, uint64_t mask,
                               const key_type *keys, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        K(update)(maps[i & mask], keys[i], K(pack)(K(value)(keys[i]) + 1));
    }
}

BENCH_TIMED uint64_t K(delete_all)(map_type **maps, uint64_t mask,
                                   const key_type *keys, uint64_t n) {
    uint64_t found = 0;
    for (uint64_t i = 0; i < n; i++) {
        found += K(delete)(maps[i & mask], keys[i]);
    }
    return found;
}

BENCH_TIMED void K(insert_all)(map_type **maps, uint64_t mask,
                               const key_type *keys, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        K(insert)(maps[i & mask], keys[i], K(pack)(K(value)(keys[i])));
    }
}

BENCH_TIMED uint64_t K(churn_all)(map_type **maps, uint64_t mask,
                                  const key_type *out, const key_type *in,
                                  uint64_t n) {
    uint64_t found = 0;
    for (uint64_t i = 0; i < n; i++) {
        map_type *m = maps[i & mask];
        found += K(delete)(m, out[i]);
        K(insert)(m, in[i], K(pack)(K(value)(in[i])));
    }
    return found;
}

BENCH_TIMED uint64_t K(sum_all)(map_type **maps, uint64_t nmaps) {
    uint64_t sum = 0;
    for (uint64_t m = 0; m < nmaps; m++) {
        sum += K(sum)(maps[m]);
    }
    return sum;
}

static void K(drop_all)(map_type **maps, uint64_t nmaps) {
    for (uint64_t m = 0; m < nmaps; m++) {
        K(drop)(maps[m]);
    }
}

// Inserting into new maps; dropping them is not timed.
static void K(run_insert)(const struct plan *p, enum operation op,
                          uint64_t hint) {
    uint64_t nmaps = p->size < BATCH ? BATCH / p->size : 1;
    uint64_t n = nmaps * p->size;
    uint64_t nbatches = n < K(sequence) ? K(sequence) / n : 1;
    keys_type keys = K(keys_first)(n * nbatches);
    map_type **maps = (map_type **)array_new(nmaps, sizeof *maps);
    int64_t ns = 0;
    uint64_t batches = 0, check = 0;
    if (p->warm) {
        K(fill)(maps, nmaps, hint, keys.at, p->size);
        K(drop_all)(maps, nmaps);
    }
    do {
        const key_type *from = keys.at + batches % nbatches * n;
        int64_t begin = now_ns();
        K(fill)(maps, nmaps, hint, from, p->size);
        ns += now_ns() - begin;
        if (batches++ == 0) {
            check = K(sum_all)(maps, nmaps);
        }
        K(drop_all)(maps, nmaps);
    } while (ns < p->min_ns);
    emit(op, ns, batches * n, check);
    array_free(maps, nmaps, sizeof *maps);
    K(keys_free)(&keys);
}

// Maps made and dropped at once, on the heap and in a local variable.
BENCH_TIMED uint64_t K(small_all)(const key_type *keys, uint64_t nmaps,
                                  uint64_t size) {
    uint64_t sum = 0;
    for (uint64_t m = 0; m < nmaps; m++) {
        map_type *map = NULL;
        K(fill)(&map, 1, 0, keys + m * size, size);
        bench_use(map);
        sum++;
        K(drop)(map);
    }
    return sum;
}

#if HAS_LOCAL
BENCH_TIMED uint64_t K(local_all)(const key_type *keys, uint64_t nmaps,
                                  uint64_t size) {
    uint64_t sum = 0;
    for (uint64_t m = 0; m < nmaps; m++) {
        sum += K(local)(keys + m * size, size);
    }
    return sum;
}
#endif

static void K(run_small)(const struct plan *p, enum operation op,
                         uint64_t (*all)(const key_type *, uint64_t,
                                         uint64_t)) {
    uint64_t nmaps = K(sequence) / p->size + 1, passes = 0, check = 0;
    keys_type keys = K(keys_first)(nmaps * p->size);
    int64_t begin = now_ns(), ns;
    do {
        check = all(keys.at, nmaps, p->size);
        passes++;
        ns = now_ns() - begin;
    } while (ns < p->min_ns * SMALL_TIMES);
    emit(op, ns, nmaps * passes, check);
    K(keys_free)(&keys);
}

// What is done to maps that stay. One pass goes through all keys to look up.
static void K(run_full)(const struct plan *p) {
    uint64_t nmaps = p->size < SMALL_MAX ? SMALL_MAPS : 1, mask = nmaps - 1;
    uint64_t n = nmaps * p->size;
    uint64_t nround = K(round)(nmaps, p->size);
    keys_type own = K(keys_first)(n);
    keys_type hits = K(keys_shuffled)(0, nmaps, p->size);
    keys_type misses = K(keys_shuffled)(n, nmaps, p->size);
    map_type **maps = (map_type **)array_new(nmaps, sizeof *maps);
    K(fill)(maps, nmaps, 0, own.at, p->size);

    int64_t begin, ns;
    uint64_t passes, check = 0;
    for (int miss = 0; miss < 2; miss++) {
        if (!wanted(p, miss ? MISS : HIT)) {
            continue;
        }
        const key_type *keys = miss ? misses.at : hits.at;
        begin = now_ns();
        passes = 0;
        do {
            check = K(get_all)(maps, mask, keys, hits.n);
            passes++;
            ns = now_ns() - begin;
        } while (ns < p->min_ns);
        emit(miss ? MISS : HIT, ns, passes * hits.n, check);
    }
    if (wanted(p, UPDATE)) {
        begin = now_ns();
        passes = 0;
        do {
            K(update_all)(maps, mask, hits.at, hits.n);
            passes++;
            ns = now_ns() - begin;
        } while (ns < p->min_ns);
        emit(UPDATE, ns, passes * hits.n, K(sum_all)(maps, nmaps));
    }
    if (wanted(p, ITERATE)) {
        begin = now_ns();
        passes = 0;
        do {
            check = K(sum_all)(maps, nmaps);
            passes++;
            ns = now_ns() - begin;
        } while (ns < p->min_ns);
        emit(ITERATE, ns, passes * n, check);
    }
    if (wanted(p, DELETE)) {
        uint64_t at = 0, rounds = 0;
        ns = 0;
        do {
            begin = now_ns();
            check = K(delete_all)(maps, mask, hits.at + at, nround);
            ns += now_ns() - begin;
            K(insert_all)(maps, mask, hits.at + at, nround);
            at = (at + nround) % hits.n;
            rounds++;
        } while (ns < p->min_ns);
        emit(DELETE, ns, rounds * nround, check);
    }
    if (wanted(p, CHURN)) {
        // Every second round brings back what the one before took out.
        uint64_t at = 0, rounds = 0;
        bool back = false;
        begin = now_ns();
        do {
            check = back ? K(churn_all)(maps, mask, misses.at + at,
                                        hits.at + at, nround)
                         : K(churn_all)(maps, mask, hits.at + at,
                                        misses.at + at, nround);
            at = (at + nround) % hits.n;
            back = !back;
            rounds++;
            ns = now_ns() - begin;
        } while (ns < p->min_ns);
        emit(CHURN, ns, rounds * nround * 2, check);
    }
    K(drop_all)(maps, nmaps);
    array_free(maps, nmaps, sizeof *maps);
    K(keys_free)(&own);
    K(keys_free)(&hits);
    K(keys_free)(&misses);
}

// Memory: of empty maps, of full ones, of ones emptied entry by entry.
static void K(run_bytes)(const struct plan *p) {
    uint64_t nmaps = p->size < BYTES_ENTRIES ? BYTES_ENTRIES / p->size : 1;
    keys_type keys = K(keys_first)(nmaps * p->size);
    map_type **maps = (map_type **)array_new(nmaps, sizeof *maps);
    // What a process needs once, for its first map, is not what a map needs.
    K(fill)(maps, 1, 0, keys.at, p->size);
    K(drop_all)(maps, 1);
    int64_t before = heap_bytes();
    K(fill)(maps, nmaps, 0, keys.at, 0);
    int64_t empty = heap_bytes();
    K(drop_all)(maps, nmaps);
    K(fill)(maps, nmaps, 0, keys.at, p->size);
    int64_t full = heap_bytes();
    for (uint64_t m = 0; m < nmaps; m++) {
        K(delete_all)(maps + m, 0, keys.at + m * p->size, p->size);
    }
    int64_t deleted = heap_bytes(), shrunk = deleted;
#if HAS_SHRINK
    for (uint64_t m = 0; m < nmaps; m++) {
        K(shrink)(maps[m]);
    }
    shrunk = heap_bytes();
#endif
    double entries = (double)keys.n, each = (double)nmaps;
    emit_head(BYTES);
    printf("\"full\": %.3f, \"empty_map\": %.1f, \"deleted_map\": %.1f, "
           "\"shrunk_map\": %.1f, \"maps\": %llu}",
           (double)(full - before) / entries, (double)(empty - before) / each,
           (double)(deleted - before) / each, (double)(shrunk - before) / each,
           (unsigned long long)nmaps);
    K(drop_all)(maps, nmaps);
    array_free(maps, nmaps, sizeof *maps);
    K(keys_free)(&keys);
}

// Single inserts into one map that grows.
static void K(run_latency)(const struct plan *p) {
    keys_type keys = K(keys_first)(p->size);
    struct stopwatch s = stopwatch_new(p->size);
    map_type *map = K(make)(0);
    for (uint64_t i = 0; i < p->size; i++) {
        key_type key = keys.at[i];
        uint64_t begin = ticks();
        K(insert)(map, key, K(pack)(K(value)(key)));
        stopwatch_note(&s, i, begin, ticks());
    }
    stopwatch_emit(&s, K(sum)(map));
    K(drop)(map);
    K(keys_free)(&keys);
}

static void K(run)(const struct plan *p) {
    if (wanted(p, BYTES)) {
        K(run_bytes)(p);
    }
    if (wanted(p, LATENCY)) {
        K(run_latency)(p);
    }
    if (wanted(p, INSERT)) {
        K(run_insert)(p, INSERT, 0);
    }
    if (wanted(p, INSERT_HINT) && HAS_HINT) {
        K(run_insert)(p, INSERT_HINT, p->size);
    }
    if (wanted(p, SMALL)) {
        K(run_small)(p, SMALL, K(small_all));
    }
#if HAS_LOCAL
    if (wanted(p, SMALL_LOCAL)) {
        K(run_small)(p, SMALL_LOCAL, K(local_all));
    }
#endif
    if (p->wanted & (1u << HIT | 1u << MISS | 1u << UPDATE | 1u << DELETE |
                     1u << CHURN | 1u << ITERATE)) {
        K(run_full)(p);
    }
}

#undef key_type
#undef map_type
#undef keys_type
#undef K
#undef PASTE
#undef PASTE_
