"""Reads the variables of a TensorFlow checkpoint (the "V2" format) without TensorFlow.

`.index` is a sorted table as LevelDB writes it: a footer names an index block, whose entries name data blocks, whose
entries map a variable's name to a `BundleEntryProto` (element type, shape, shard, offset, size). `.data-00000-of-00001`
is the values, end to end. Only what published float checkpoints use is read: one shard, uncompressed blocks, float32.
"""

import struct
from pathlib import Path

import numpy as np

MAGIC = 0xDB4775248B80FB57
FLOAT = 1


def _varint(data: bytes, at: int) -> tuple:
    """(value, position after it)."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _handle(data: bytes, at: int = 0) -> tuple:
    """(offset, size, position after both)."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return offset, size, at


def _entries(table: bytes, offset: int, size: int):
    """(key, value) of every entry of a block; keys share prefixes with the key before."""
    if table[offset + size] != 0:
        raise ValueError("the checkpoint's index is compressed")
    block = table[offset:offset + size]
    restarts = struct.unpack_from("<I", block, size - 4)[0]
    end, at, key = size - 4 - 4 * restarts, 0, b""
    while at < end:
        shared, at = _varint(block, at)
        rest, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at:at + rest]
        yield key, block[at + rest:at + rest + length]
        at += rest + length


def _fields(message: bytes):
    """(number, value) of a protobuf message's fields; nested messages stay bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 0:
            value, at = _varint(message, at)
        elif tag & 7 == 2:
            length, at = _varint(message, at)
            value, at = message[at:at + length], at + length
        elif tag & 7 == 5:
            value, at = message[at:at + 4], at + 4
        else:
            raise ValueError(f"field {tag >> 3} has a wire type no checkpoint uses")
        yield tag >> 3, value


def variables(prefix: str) -> dict:
    """Every float32 variable of the checkpoint `prefix` (a path without its suffix), by name."""
    table = Path(prefix + ".index").read_bytes()
    data = Path(prefix + ".data-00000-of-00001").read_bytes()
    if len(table) < 48 or struct.unpack("<Q", table[-8:])[0] != MAGIC:
        raise ValueError(f"{prefix}.index is no TensorFlow checkpoint")
    _, _, at = _handle(table[-48:])
    offset, size, _ = _handle(table[-48:], at)
    out = {}
    for _, handle in _entries(table, offset, size):
        block, length, _ = _handle(handle)
        for name, message in _entries(table, block, length):
            if not name:  # the header of the whole bundle
                continue
            fields = dict(_fields(message))
            if fields.get(1) != FLOAT:
                continue
            shape = [dict(_fields(dim)).get(1, 0) for number, dim in _fields(fields.get(2, b"")) if number == 2]
            values = np.frombuffer(data, "<f4", fields[5] // 4, fields.get(4, 0))
            out[name.decode()] = values.reshape(shape)
    return out
