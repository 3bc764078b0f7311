#!/usr/bin/python3
"""Goal: others can read our checkpoint files.

Method: a reader of the safetensors format of this test's own, standard library only, written from the published
description of the format and sharing nothing with our C++; it reads what `tally fit --out` saves. Its findings are
compared with `tally inspect`, and both digests are computed again from core/checkpoint/FORMAT.md. The reader itself is
shown to refuse files broken in one way each.

Usage: safetensors_test.py TALLY        TALLY: the program
"""

import hashlib
import json
import math
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest

TALLY = ""

HEADER_BYTES_MAX = 100_000_000
DTYPE_BYTES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
               "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8}
DTYPE_CODES = {"U8": "B", "I8": "b", "U16": "H", "I16": "h", "U32": "I", "I32": "i", "U64": "Q", "I64": "q"}
# The names `tally inspect` uses.
DTYPE_OF = {"int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64", "uint8": "U8", "uint64": "U64"}

# PocketNN's counters: they report and do not decide, so they are outside the state digest.
COUNTER = re.compile(r"layer\d+\.(saturated_activations|clamped_weights|wide_steps)")

SPEC = """
name: strokes
algorithm: pocketnn
input: {shape: [28, 28], type: uint8}
preprocessing: {kind: calibrated, scope: element, calibration_samples: 50}
layers:
  - {units: 7, activation: pocket_tanh}
  - {units: 10, activation: pocket_tanh}
classes: 10
labels: ["zero", "one", "two", "three", "four", "five", "six", "se\\"ven", "acht \\u00e4", "nine"]
batch_size: 20
learning_rate: [{from_step: 0, inverse: 1000}]
schedule_steps: 10
pocketnn: {target: 32, update_rounding: error_feedback}
"""


class Broken(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Broken(what)


def without_duplicates(pairs):
    need(len({key for key, _ in pairs}) == len(pairs), "a key occurs twice")
    return dict(pairs)


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class Tensor:
    def __init__(self, dtype, shape, data, begin):
        self.dtype, self.shape, self.data, self.begin = dtype, shape, data, begin

    def values(self):
        return struct.unpack(f"<{math.prod(self.shape)}{DTYPE_CODES[self.dtype]}", self.data)


def read_header(raw):
    """Length of the header and its JSON object."""
    need(len(raw) >= 8, "shorter than the length of the header")
    (length,) = struct.unpack_from("<Q", raw)
    need(length <= HEADER_BYTES_MAX, "header too long")
    need(8 + length <= len(raw), "header cut off")
    text = raw[8:8 + length]
    need(text[:1] == b"{", "header does not begin with {")
    need(text.rstrip(b" ")[-1:] == b"}", "header padded with something else than spaces")
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=without_duplicates)
    except ValueError as error:
        raise Broken(f"header: {error}") from error
    return length, header


def read(raw):
    """(metadata, {name: Tensor}) of the bytes of a safetensors file, or Broken."""
    length, header = read_header(raw)
    data = raw[8 + length:]
    metadata = header.pop("__metadata__", {})
    need(all(isinstance(value, str) for value in metadata.values()), "metadata that is not text")
    tensors = {}
    for name, entry in header.items():
        need(set(entry) == {"dtype", "shape", "data_offsets"}, f"{name}: keys {sorted(entry)}")
        need(entry["dtype"] in DTYPE_BYTES, f"{name}: dtype {entry['dtype']}")
        need(all(is_count(size) for size in entry["shape"]), f"{name}: shape {entry['shape']}")
        begin, end = entry["data_offsets"]
        need(is_count(begin) and is_count(end) and begin <= end <= len(data), f"{name}: offsets [{begin}, {end}]")
        size = math.prod(entry["shape"]) * DTYPE_BYTES[entry["dtype"]]
        need(end - begin == size, f"{name}: {end - begin} bytes where dtype and shape make {size}")
        tensors[name] = Tensor(entry["dtype"], entry["shape"], data[begin:end], begin)
    # The whole of the data belongs to exactly one tensor: no overlap, no hole, nothing behind the last.
    at = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, len(item[1].data))):
        need(tensor.begin == at, f"{name}: begins at {tensor.begin}, expected {at}")
        at += len(tensor.data)
    need(at == len(data), f"{len(data) - at} bytes behind the last tensor")
    return metadata, tensors


def write(entries, data, pad=True):
    """A file with this header, for trying the reader."""
    text = entries if isinstance(entries, bytes) else json.dumps(entries, separators=(",", ":")).encode()
    if pad:
        text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def file_digest(raw):
    """SHA-256 of the file with the digits of `file_digest` itself as zeros."""
    metadata, _ = read(raw)
    field = b'"file_digest":"' + metadata["file_digest"].encode() + b'"'
    need(raw.count(field) == 1, "file_digest is not there exactly once")
    return hashlib.sha256(raw.replace(field, b'"file_digest":"' + b"0" * 64 + b'"')).hexdigest()


def state_digest(raw):
    metadata, tensors = read(raw)
    digest = hashlib.sha256()

    def u64(number):
        digest.update(struct.pack("<Q", number))

    def text(value):
        u64(len(value))
        digest.update(value)

    deciding = {name: tensor for name, tensor in tensors.items() if not COUNTER.fullmatch(name)}
    text(b"tally-state-digest-1")
    text(metadata["spec"].encode())
    u64(len(deciding))
    for name in sorted(deciding, key=str.encode):
        tensor = deciding[name]
        text(name.encode())
        text(tensor.dtype.encode())
        u64(len(tensor.shape))
        for size in tensor.shape:
            u64(size)
        text(tensor.data)
    return digest.hexdigest()


def tally(*arguments):
    done = subprocess.run([TALLY, *arguments, "--json"], check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, f"tally {' '.join(arguments)}: {done.returncode}\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


class CheckpointTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tally-test-")
        cls.addClassCleanup(cls.folder.cleanup)
        data = os.path.join(cls.folder.name, "digits")
        tally("synth", "--out", data, "--train", "200", "--test", "20", "--seed", "3")
        spec = os.path.join(cls.folder.name, "strokes.yaml")
        with open(spec, "w", encoding="utf-8") as file:
            file.write(SPEC)
        cls.files = {}
        for network in ("pocketnn/mnist-mlp", spec):
            path = os.path.join(cls.folder.name, os.path.basename(network) + ".safetensors")
            fit = tally("fit", network, "--data", data, "--epochs", "1", "--out", path)
            with open(path, "rb") as file:
                cls.files[path] = (file.read(), fit)

    def each(self):
        for path, (raw, fit) in self.files.items():
            with self.subTest(os.path.basename(path)):
                yield path, raw, fit

    def test_the_header_is_aligned_and_the_data_covered_without_holes(self):
        for _, raw, _ in self.each():
            length, _ = read_header(raw)
            self.assertEqual(length % 8, 0)
            _, tensors = read(raw)
            self.assertGreater(len(tensors), 5)
            for name, tensor in tensors.items():
                self.assertEqual(tensor.begin % DTYPE_BYTES[tensor.dtype], 0, name)

    def test_every_tensor_is_of_an_integer_type(self):
        for _, raw, _ in self.each():
            for name, tensor in read(raw)[1].items():
                self.assertIn(tensor.dtype, DTYPE_CODES, name)

    def test_names_and_metadata_keys_rise(self):
        for _, raw, _ in self.each():
            length, header = read_header(raw)
            names = list(header)
            self.assertEqual(names[0], "__metadata__")
            self.assertEqual(names[1:], sorted(names[1:], key=str.encode))
            self.assertEqual(list(header["__metadata__"]), sorted(header["__metadata__"], key=str.encode))
            # Nothing between the tokens: equal state gives equal bytes.
            compact = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
            self.assertEqual(raw[8:8 + length].rstrip(b" "), compact)

    def test_names_shapes_types_and_sizes_are_those_that_inspect_shows(self):
        for path, raw, _ in self.each():
            listed = {tensor["name"]: (DTYPE_OF[tensor["type"]], tensor["shape"], tensor["size_bytes"])
                      for tensor in tally("inspect", path)["tensors"]}
            found = {name: (tensor.dtype, tensor.shape, len(tensor.data)) for name, tensor in read(raw)[1].items()}
            self.assertEqual(found, listed)

    def test_the_weights_are_where_the_header_says(self):
        for _, raw, fit in self.each():
            metadata, tensors = read(raw)
            spec = json.loads(metadata["spec"])
            inputs = math.prod(spec["input"]["shape"])
            for index, layer in enumerate(spec["layers"], 1):
                weight = tensors[f"layer{index}.weight"]
                self.assertEqual(weight.shape, [inputs, layer["units"]])
                limit = spec["pocketnn"]["weight_limit"]
                values = weight.values()
                self.assertTrue(any(values))
                self.assertTrue(all(-limit <= value <= limit for value in values))
                inputs = layer["units"]
            self.assertEqual(tensors["step"].values(), (fit["step"],))
            self.assertEqual(metadata["step"], str(fit["step"]))

    def test_the_file_digest_recomputes(self):
        for path, raw, _ in self.each():
            metadata, _ = read(raw)
            self.assertEqual(raw[40:104].decode(), metadata["file_digest"])
            self.assertEqual(file_digest(raw), metadata["file_digest"])
            self.assertEqual(tally("inspect", path)["file_digest"], metadata["file_digest"])

    def test_the_state_digest_recomputes(self):
        for _, raw, fit in self.each():
            self.assertEqual(state_digest(raw), read(raw)[0]["state_digest"])
            self.assertEqual(state_digest(raw), fit["digest"])

    def test_a_flipped_bit_anywhere_changes_the_file_digest(self):
        for _, raw, _ in self.each():
            stated = read(raw)[0]["file_digest"]
            length, _ = read_header(raw)
            for at in (8 + length, len(raw) // 2, len(raw) - 1):
                flipped = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1:]
                self.assertNotEqual(file_digest(flipped), stated)


class ReaderTest(unittest.TestCase):
    """The reader above can say no."""

    A = {"dtype": "I16", "shape": [2, 2], "data_offsets": [0, 8]}
    B = {"dtype": "U8", "shape": [3], "data_offsets": [8, 11]}

    def broken(self, raw, what):
        with self.assertRaisesRegex(Broken, what):
            read(raw)

    def test_it_reads_a_good_file(self):
        raw = write({"__metadata__": {"k": "v"}, "a": self.A, "b": self.B}, struct.pack("<4h3B", 1, -2, 3, -4, 5, 6, 7))
        metadata, tensors = read(raw)
        self.assertEqual(metadata, {"k": "v"})
        self.assertEqual(tensors["a"].values(), (1, -2, 3, -4))
        self.assertEqual(tensors["b"].values(), (5, 6, 7))

    def test_it_refuses_bad_containers(self):
        good = write({"a": self.A}, bytes(8))
        self.broken(b"\0" * 7, "shorter")
        self.broken(struct.pack("<Q", HEADER_BYTES_MAX + 1) + good[8:], "too long")
        self.broken(good[:20], "cut off")
        self.broken(write(b" " + json.dumps({"a": self.A}).encode(), bytes(8)), "begin with")
        self.broken(write(json.dumps({"a": self.A}).encode() + b"\0", bytes(8), pad=False), "padded")
        self.broken(write(b'{"a":}', bytes(8)), "header")
        self.broken(write(b'{"a":"\xff"}', bytes(8)), "header")
        self.broken(write(b'{"__metadata__":{},"__metadata__":{}}', b""), "twice")
        self.broken(write({"__metadata__": {"step": 7}}, b""), "not text")

    def test_it_refuses_bad_entries(self):
        for change, what in (({"dtype": "I7"}, "dtype"), ({"shape": [-2, -2]}, "shape"),
                             ({"shape": [2, 3]}, "make 12"), ({"dtype": "I32"}, "make 16"),
                             ({"data_offsets": [0, 16]}, "offsets"), ({"data_offsets": [8, 0]}, "offsets"),
                             ({"more": 1}, "keys")):
            self.broken(write({"a": {**self.A, **change}}, bytes(8)), what)

    def test_it_refuses_holes_overlaps_and_trailing_bytes(self):
        self.broken(write({"a": self.A}, bytes(9)), "1 bytes behind")
        self.broken(write({"a": self.A, "b": {**self.B, "data_offsets": [9, 12]}}, bytes(12)), "expected 8")
        self.broken(write({"a": self.A, "b": {**self.B, "data_offsets": [7, 10]}}, bytes(10)), "expected 8")
        self.broken(write({"b": self.B}, bytes(11)), "expected 0")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    TALLY = sys.argv.pop(1)
    unittest.main(verbosity=2)
