#!/usr/bin/env python3
"""Writes control vectors with the Python package `gguf`, as repeng does.

They are under `data/gguf` and committed; the Rust tests read them, so only whoever changes them needs Python:

    pip install gguf
    python models/tests/record_gguf.py

Component i of layer L is (16 L + i - 40) / 8, which f32 holds exactly.
"""

from pathlib import Path

import gguf
import numpy as np

DATA = Path(__file__).parent / "data" / "gguf"
WIDTH = 5


def direction(layer):
    return ((16 * layer + np.arange(WIDTH) - 40) / 8).astype(np.float32)


def write(name, layers, keys=lambda writer: None):
    """The calls of repeng's `ControlVector.export_gguf`; then those of `keys`."""
    writer = gguf.GGUFWriter(DATA / name, "controlvector")
    writer.add_string("controlvector.model_hint", "musicgen")
    writer.add_uint32("controlvector.layer_count", len(layers))
    keys(writer)
    for layer in layers:
        writer.add_tensor(f"direction.{layer}", direction(layer))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def named(writer):
    """What Tiller writes beside that."""
    writer.add_string("general.name", "flute")
    writer.add_string("tiller.model", "6a7c")


def unusual(writer):
    """Another alignment, and values of types that Tiller skips."""
    writer.add_custom_alignment(64)
    writer.add_array("general.tags", ["control", "vector"])
    writer.add_array("other.numbers", [1, 2, 3])
    writer.add_bool("other.bool", True)
    writer.add_float64("other.double", 0.5)


if __name__ == "__main__":
    DATA.mkdir(parents=True, exist_ok=True)
    write("repeng.gguf", [3, 2, 1])
    write("tiller.gguf", [1, 2, 3], named)
    write("unusual.gguf", [2, 7], unusual)
