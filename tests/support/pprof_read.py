#!/usr/bin/env python3
"""Reads a heap profile in either form, checks that it is one that readers take,
and prints it as JSON:
  pprof_read.py FILE
  pprof_read.py --lines FILE

  {"form": "pprof" | "text",
   "types": ["alloc_objects/count", ...], "period": N, "period_type": "...",
   "time_nanos": N, "duration_nanos": N, "drop_frames": "...",
   "mappings": [{"id", "start", "limit", "offset", "file", "build_id"}, ...],
   "samples": [{"addresses": [leaf, ...], "mappings": [id or 0, ...],
                "functions": [name or "", ...], "values": [...],
                "bytes": N}, ...],
   "totals": [...]}

or, for programs in C, as lines of blank-separated words, - for an empty one:
  profile FORM PERIOD TIME_NANOS DURATION_NANOS
  type NAME
  mapping ID START LIMIT OFFSET BUILD_ID FILE
  sample BYTES VALUES... NADDRESSES ADDRESSES...
with addresses in hexadecimal.

Values are those of the process, as readers show them: numbers of the text form
are scaled here. Addresses lie inside the calls. Of the text form's mappings only
the executable ones are told. Knows nothing of the writer: by the formats alone.
A profile that breaks their rules ends it with status 1 and the reason."""
import gzip
import json
import math
import re
import struct
import sys
import zlib

TYPES = ["alloc_objects/count", "alloc_space/bytes", "inuse_objects/count",
         "inuse_space/bytes"]


class Malformed(Exception):
    pass


def must(condition, *what):
    if not condition:
        raise Malformed(" ".join(str(w) for w in what))


def varint(data, at):
    value = shift = 0
    while True:
        must(at < len(data), "a number is cut")
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            must(value < 1 << 64, "a number has more than 64 bits")
            return value, at
        must(shift < 70, "a number has more than ten bytes")


def fields(data):
    """Yields (field number, int or bytes) of a message."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        wire = key & 7
        must(key >> 3 != 0, "a field has the number 0")
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 2:
            n, at = varint(data, at)
            must(n <= len(data) - at, "a field is cut")
            value, at = data[at:at + n], at + n
        elif wire in (1, 5):
            n = 8 if wire == 1 else 4
            must(n <= len(data) - at, "a field is cut")
            value, at = data[at:at + n], at + n
        else:
            raise Malformed("wire type %d" % wire)
        yield key >> 3, value


def numbers(value):
    """A repeated number, packed or not."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        n, at = varint(value, at)
        found.append(n)
    return found


def signed(n):
    return n - (1 << 64) if n >> 63 else n


def message(data, names, repeated=()):
    """A message as a dict, by {number: name}. Fields not named are errors: this
    is all there is in profile.proto."""
    found = {name: [] if name in repeated else 0 for name in names.values()}
    for number, value in fields(data):
        must(number in names, "field %d is none of %s" %
             (number, list(names.values())))
        name = names[number]
        if name in repeated:
            found[name].append(value)
        else:
            must(isinstance(value, int), name, "is no number")
            found[name] = value
    return found


PROFILE = {1: "sample_type", 2: "sample", 3: "mapping", 4: "location",
           5: "function", 6: "string_table", 7: "drop_frames",
           8: "keep_frames", 9: "time_nanos", 10: "duration_nanos",
           11: "period_type", 12: "period", 13: "comment",
           14: "default_sample_type"}
VALUE_TYPE = {1: "type", 2: "unit"}
SAMPLE = {1: "location_id", 2: "value", 3: "label"}
LABEL = {1: "key", 2: "str", 3: "num", 4: "num_unit"}
MAPPING = {1: "id", 2: "memory_start", 3: "memory_limit", 4: "file_offset",
           5: "filename", 6: "build_id", 7: "has_functions",
           8: "has_filenames", 9: "has_line_numbers", 10: "has_inline_frames"}
LOCATION = {1: "id", 2: "mapping_id", 3: "address", 4: "line", 5: "is_folded"}
LINE = {1: "function_id", 2: "line", 3: "column"}
FUNCTION = {1: "id", 2: "name", 3: "system_name", 4: "filename",
            5: "start_line"}


def by_id(messages, kind):
    found = {}
    for m in messages:
        must(m["id"] != 0, "a", kind, "has the id 0")
        must(m["id"] not in found, "two of", kind, "have the id", m["id"])
        found[m["id"]] = m
    return found


def read_pprof(data):
    top = message(data, PROFILE, ("sample_type", "sample", "mapping",
                                  "location", "function", "string_table",
                                  "comment", "period_type"))
    strings = [s.decode("utf-8", "strict") for s in top["string_table"]]
    must(strings and strings[0] == "", "the first string is not empty")

    def string(n):
        must(n < len(strings), "there is no string", n)
        return strings[n]

    def value_type(data):
        m = message(data, VALUE_TYPE)
        return string(m["type"]) + "/" + string(m["unit"])

    types = [value_type(t) for t in top["sample_type"]]
    must(types or not top["sample"], "samples without types")
    must(len(top["period_type"]) == 1, "period types:", top["period_type"])
    mappings = [message(m, MAPPING) for m in top["mapping"]]
    mapping_by_id = by_id(mappings, "mapping")
    must(mappings, "there is no mapping")
    functions = by_id([message(f, FUNCTION) for f in top["function"]],
                      "function")
    locations = by_id([message(l, LOCATION, ("line",))
                       for l in top["location"]], "location")
    for l in locations.values():
        m = l["mapping_id"]
        must(m == 0 or m in mapping_by_id, "there is no mapping", m)
        if m != 0 and mapping_by_id[m]["memory_limit"] != 0:
            must(mapping_by_id[m]["memory_start"] <= l["address"] <
                 mapping_by_id[m]["memory_limit"],
                 "address %#x is outside its mapping" % l["address"])
        l["function"] = ""
        for line in l["line"]:
            f = message(line, LINE)["function_id"]
            must(f in functions, "there is no function", f)
            l["function"] = string(functions[f]["name"])
    samples = []
    for data in top["sample"]:
        s = message(data, SAMPLE, ("location_id", "value", "label"))
        values = [signed(v) for part in s["value"] for v in numbers(part)]
        ids = [i for part in s["location_id"] for i in numbers(part)]
        must(len(values) == len(types), "a sample has", len(values), "values")
        for i in ids:
            must(i in locations, "there is no location", i)
        labels = [message(l, LABEL) for l in s["label"]]
        sizes = [signed(l["num"]) for l in labels
                 if string(l["key"]) == "bytes"]
        must(len(sizes) == 1, "a sample has", len(sizes), "labels of bytes")
        samples.append({
            "addresses": [locations[i]["address"] for i in ids],
            "mappings": [locations[i]["mapping_id"] for i in ids],
            "functions": [locations[i]["function"] for i in ids],
            "values": values, "bytes": sizes[0]})
    return {
        "form": "pprof", "types": types, "period": signed(top["period"]),
        "period_type": value_type(top["period_type"][0]),
        "time_nanos": signed(top["time_nanos"]),
        "duration_nanos": signed(top["duration_nanos"]),
        "drop_frames": string(top["drop_frames"]),
        "mappings": [{"id": m["id"], "start": m["memory_start"],
                      "limit": m["memory_limit"], "offset": m["file_offset"],
                      "file": string(m["filename"]),
                      "build_id": string(m["build_id"])} for m in mappings],
        "samples": samples}


def scaled(count, nbytes, rate):
    if count == 0 or nbytes == 0:
        return [0, 0]
    if rate <= 1:
        return [count, nbytes]
    scale = -1 / math.expm1(-nbytes / count / rate)
    return [int(count * scale), int(nbytes * scale)]


def read_maps(lines):
    found = []
    for line in lines:
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (....) ([0-9a-f]+) \S+ \d+ *(.*)$",
                     line)
        must(m, "this is no mapping:", line)
        if m[3][2] == "x":
            found.append({"id": len(found) + 1, "start": int(m[1], 16),
                          "limit": int(m[2], 16), "offset": int(m[4], 16),
                          "file": m[5], "build_id": ""})
    return found


def read_text(text):
    lines = text.split("\n")
    m = re.match(r"heap profile: (\d+): (\d+) \[(\d+): (\d+)\] @ "
                 r"(?:heap_v2/(\d+)|heapprofile)$", lines[0])
    must(m, "this is no header:", lines[0])
    must((m[1], m[2]) != (m[3], m[4]) and (m[3] != "0" or m[4] != "0"),
         "pprof would take the types for objects/space")
    rate = int(m[5] or 1)
    must("MAPPED_LIBRARIES:" in lines, "there are no mappings")
    end = lines.index("MAPPED_LIBRARIES:")
    mappings = read_maps(line for line in lines[end + 1:] if line != "")
    samples = []
    for line in lines[1:end]:
        if line == "":
            continue
        m2 = re.match(r"(\d+): (\d+) \[(\d+): (\d+)\] @((?: 0x[0-9a-f]+)+)$",
                      line)
        must(m2, "this is no sample:", line)
        n, nbytes, allocs, alloc_bytes = (int(m2[i]) for i in range(1, 5))
        must(n <= allocs and nbytes <= alloc_bytes, "more in use than were made")
        must(allocs > 0 and alloc_bytes % allocs == 0 and
             nbytes * allocs == n * alloc_bytes, "sizes are mixed:", line)
        addresses = [int(a, 16) - 1 for a in m2[5].split()]
        inside = [next((m["id"] for m in mappings
                        if m["start"] <= a < m["limit"]), 0)
                  for a in addresses]
        samples.append({
            "addresses": addresses, "mappings": inside,
            "functions": [""] * len(addresses),
            "values": scaled(allocs, alloc_bytes, rate) +
                      scaled(n, nbytes, rate),
            "bytes": alloc_bytes // allocs})
    return {"form": "text", "types": TYPES, "period": rate,
            "period_type": "space/bytes", "time_nanos": 0,
            "duration_nanos": 0, "drop_frames": "", "mappings": mappings,
            "samples": samples}


def read(path):
    """What the file says, as above; raises Malformed."""
    with open(path, "rb") as f:
        data = f.read()
    try:
        if data[:2] == b"\x1f\x8b":
            profile = read_pprof(gzip.decompress(data))
        else:
            profile = read_text(data.decode("utf-8", "surrogateescape"))
    except (OSError, EOFError, UnicodeDecodeError, struct.error,
            zlib.error) as e:
        raise Malformed(str(e)) from e
    profile["totals"] = [sum(s["values"][i] for s in profile["samples"])
                         for i in range(len(profile["types"]))]
    return profile


def as_lines(profile):
    yield "profile %s %d %d %d" % (
        profile["form"], profile["period"], profile["time_nanos"],
        profile["duration_nanos"])
    for name in profile["types"]:
        yield "type " + name
    for m in profile["mappings"]:
        yield "mapping %d %x %x %x %s %s" % (
            m["id"], m["start"], m["limit"], m["offset"], m["build_id"] or "-",
            m["file"] or "-")
    for s in profile["samples"]:
        yield "sample %d %s %d %s" % (
            s["bytes"], " ".join(map(str, s["values"])), len(s["addresses"]),
            " ".join("%x" % a for a in s["addresses"]))


def main():
    try:
        profile = read(sys.argv[-1])
    except Malformed as e:
        sys.exit("%s: %s" % (sys.argv[-1], e))
    if sys.argv[1] == "--lines":
        print("\n".join(as_lines(profile)))
    else:
        json.dump(profile, sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()
