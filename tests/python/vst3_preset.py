"""The plugin's state inside Steinberg's .vstpreset container, which both hosts read and write.

The component chunk is the plugin's state: JSON with the parameters and, as a string of JSON in `fields.project`, the
project that docs/state.md describes.
"""

import json
import struct

HEADER = 48  # "VST3", version, 32 characters of class id, offset of the chunk list


def read(preset: bytes) -> dict:
    """The state in a preset."""
    start, size = _component(preset)
    return json.loads(preset[start : start + size])


def write(preset: bytes, state: dict) -> bytes:
    """A preset of the same plugin class with another state, and no controller chunk."""
    text = json.dumps(state).encode()
    header = preset[:40] + struct.pack("<q", HEADER + len(text))
    entry = b"Comp" + struct.pack("<qq", HEADER, len(text))
    return header + text + b"List" + struct.pack("<i", 1) + entry


def project(state: dict) -> dict:
    """The project in a state."""
    return json.loads(state["fields"]["project"])


def with_project(state: dict, **changes) -> dict:
    """The state with some of its project's fields replaced."""
    fields = dict(state["fields"], project=json.dumps(dict(project(state), **changes)))
    return dict(state, fields=fields)


def _component(preset: bytes) -> tuple[int, int]:
    if preset[:4] != b"VST3":
        raise ValueError("this is not a .vstpreset")
    (chunks,) = struct.unpack_from("<q", preset, 40)
    (count,) = struct.unpack_from("<i", preset, chunks + 4)
    for index in range(count):
        entry = chunks + 8 + 20 * index
        if preset[entry : entry + 4] == b"Comp":
            return struct.unpack_from("<qq", preset, entry + 4)
    raise ValueError("the preset has no component state")
