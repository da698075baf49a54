# pprof.py: profiles in pprof's form (alloc/prof/mprof_pprof.c). All that is not
# changed stays as it was, byte for byte.

from trouble import Unusable

# A profile is fields with a number, each a number or bytes. The largest profile that
# mound writes has 2 million.
FIELDS_MAX = 1 << 22

WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_32 = 0, 1, 2, 5

SAMPLE_TYPE, SAMPLE, MAPPING, LOCATION, FUNCTION, STRING_TABLE = range(1, 7)
DROP_FRAMES, KEEP_FRAMES, TIME_NANOS, DURATION_NANOS = range(7, 11)
PERIOD_TYPE, PERIOD = 11, 12
PROFILE_BYTES = frozenset((SAMPLE_TYPE, SAMPLE, MAPPING, LOCATION, FUNCTION,
                           STRING_TABLE, PERIOD_TYPE))
PROFILE_INTS = frozenset((DROP_FRAMES, KEEP_FRAMES, TIME_NANOS, DURATION_NANOS,
                          PERIOD))

MAPPING_ID, MAPPING_START, MAPPING_LIMIT, MAPPING_OFFSET = 1, 2, 3, 4
MAPPING_FILENAME, MAPPING_BUILD_ID, MAPPING_HAS_FUNCTIONS = 5, 6, 7

LOCATION_ID, LOCATION_MAPPING, LOCATION_ADDRESS, LOCATION_LINE = 1, 2, 3, 4

LINE_FUNCTION = 1

FUNCTION_ID, FUNCTION_NAME, FUNCTION_SYSTEM_NAME = 1, 2, 3
FUNCTION_FILENAME = 4


def read_varint(data, at):
    """The number at data[at] and the place after it."""
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        if byte < 0x80:
            return value & 0xffffffffffffffff, at
        shift += 7
    raise Unusable('the profile is damaged')


def read_fields(data):
    """Yields number, value (an int or bytes), start and end of each field."""
    at = 0
    while at < len(data):
        start = at
        key, at = read_varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == WIRE_VARINT:
            value, at = read_varint(data, at)
        elif wire == WIRE_BYTES:
            nbytes, at = read_varint(data, at)
            value = data[at:at + nbytes]
            at += nbytes
        elif wire in (WIRE_64, WIRE_32):
            value = 0  # no field that we know has these
            at += 8 if wire == WIRE_64 else 4
        else:
            raise Unusable('the profile is damaged')
        if number == 0 or at > len(data):
            raise Unusable('the profile is damaged')
        yield number, value, start, at


def read_ints(data):
    """The number fields of a message, by field number, and the set of fields that are
    bytes."""
    ints, others = {}, set()
    for number, value, _, _ in read_fields(data):
        if isinstance(value, int):
            ints[number] = value
        else:
            others.add(number)
    return ints, others


def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def int_field(number, value):
    return varint(number << 3 | WIRE_VARINT) + varint(value)


def bytes_field(number, value):
    return varint(number << 3 | WIRE_BYTES) + varint(len(value)) + value


class Mapping:
    def __init__(self, part, fields):
        self.part = part
        self.id = fields.get(MAPPING_ID, 0)
        self.start = fields.get(MAPPING_START, 0)
        self.limit = fields.get(MAPPING_LIMIT, 0)
        self.offset = fields.get(MAPPING_OFFSET, 0)
        self.filename_string = fields.get(MAPPING_FILENAME, 0)
        self.build_id_string = fields.get(MAPPING_BUILD_ID, 0)
        self.named = fields.get(MAPPING_HAS_FUNCTIONS, 0) != 0
        self.unnamed_locations = []


class Location:
    def __init__(self, part, fields):
        self.part = part
        self.mapping = fields.get(LOCATION_MAPPING, 0)
        self.address = fields.get(LOCATION_ADDRESS, 0)


class Profile:
    """A profile as the list of its fields, parts, and the ones that are used here."""

    def __init__(self, data):
        self.parts = []
        self.strings = []
        self.mappings = {}
        self.last_function = 0
        self.time_ns = 0
        self.changed = False
        self._numbers = {}  # of strings that were added
        self._functions = {}  # that were added
        locations = []
        has_types = False
        for number, value, start, end in read_fields(data):
            if len(self.parts) == FIELDS_MAX:
                raise Unusable(
                    f'the profile has more than {FIELDS_MAX} fields')
            if number in (PROFILE_BYTES if isinstance(value, int)
                          else PROFILE_INTS):
                raise Unusable('this is not a profile')
            if number == SAMPLE_TYPE:
                has_types = True
            elif number == STRING_TABLE:
                self.strings.append(value)
            elif number == MAPPING:
                mapping = Mapping(len(self.parts), read_ints(value)[0])
                self.mappings[mapping.id] = mapping
            elif number == FUNCTION:
                self.last_function = max(
                    self.last_function, read_ints(value)[0].get(FUNCTION_ID, 0))
            elif number == LOCATION:
                ints, others = read_ints(value)
                if LOCATION_LINE not in others:
                    locations.append(Location(len(self.parts), ints))
            elif number == TIME_NANOS:
                self.time_ns = value
            self.parts.append(data[start:end])
        if not has_types or not self.strings or self.strings[0] != b'':
            raise Unusable('this is not a profile')
        self._check(locations)

    def _check(self, locations):
        nstrings = len(self.strings)
        for mapping in self.mappings.values():
            if (mapping.filename_string >= nstrings or
                    mapping.build_id_string >= nstrings):
                raise Unusable('the profile is damaged')
        for location in locations:
            if location.mapping == 0:
                continue
            if location.mapping not in self.mappings:
                raise Unusable('the profile is damaged')
            mapping = self.mappings[location.mapping]
            mapping.unnamed_locations.append(location)

    def _string(self, text):
        if text not in self._numbers:
            self._numbers[text] = len(self.strings)
            self.strings.append(text)
            self.parts.append(bytes_field(STRING_TABLE, text))
        return self._numbers[text]

    def _function(self, name, system_name, filename_string):
        key = system_name, filename_string
        if key not in self._functions:
            self.last_function += 1
            self._functions[key] = self.last_function
            self.parts.append(bytes_field(
                FUNCTION, int_field(FUNCTION_ID, self.last_function) +
                int_field(FUNCTION_NAME, self._string(name)) +
                int_field(FUNCTION_SYSTEM_NAME, self._string(system_name)) +
                int_field(FUNCTION_FILENAME, filename_string)))
        return self._functions[key]

    def _append(self, part, field):
        """Appends a field to the message in parts[part]."""
        (number, value, _, _), = read_fields(self.parts[part])
        self.parts[part] = bytes_field(number, value + field)
        self.changed = True

    def name_location(self, location, name, system_name):
        mapping = self.mappings[location.mapping]
        function = self._function(name, system_name, mapping.filename_string)
        self._append(location.part, bytes_field(
            LOCATION_LINE, int_field(LINE_FUNCTION, function)))
        if not mapping.named:
            mapping.named = True
            self._append(mapping.part, int_field(MAPPING_HAS_FUNCTIONS, 1))

    def bytes(self):
        return b''.join(self.parts)
