"""Qualities that get a steering vector, by pairs of pieces that are alike but for the quality.

The pieces of a pair share a seed, so melody, key and tempo are the same or nearly so, and the difference in means is about
the quality alone. Instruments and styles are learnt from what the model itself plays (`prompts/`).
"""

from collections.abc import Iterator
from functools import partial
from random import Random

from music.instruments import INSTRUMENTS, LEADS
from music.pieces import Mix, compose
from music.sets import Clip, ConceptSet

SEED = 30_000_000
# Instruments that play both slow melodies and fast broken chords.
MOVING = tuple(lead for lead in LEADS if {"melody", "arpeggio"} <= set(INSTRUMENTS[lead].textures))
# What is forced on the side that has it, and on the other, and what the other is called.
QUALITIES = {
    "minor": ({"mode": "minor"}, {"mode": "major"}, "major"),
    # On one root: the notes that tell the modes apart are then always the same.
    "C minor": ({"mode": "minor", "root": "C"}, {"mode": "major", "root": "C"}, "C major"),
    "bright": ({"tone": "bright"}, {"tone": "dark"}, "dark"),
    "busy": ({"bpm": 150, "texture": "arpeggio"}, {"bpm": 70, "texture": "melody"}, "calm"),
}


def pairs(concept: str, count: int, seconds: float, first: int = SEED):
    """Yields `count` times (seed, piece with the quality, piece without)."""
    for seed in range(first, first + count):
        rng = Random(seed)
        shared = {"kind": rng.choice(("solo", "solo", "trio")), "lead": rng.choice(MOVING)}
        yield (seed, *(compose(seed, seconds, Mix(), shared | force) for force in QUALITIES[concept][:2]))


def _sides(concept: str, count: int, seconds: float) -> Iterator[Clip]:
    """Both sides of the pairs, as clips of two classes."""
    for n, (seed, *pieces) in enumerate(pairs(concept, count, seconds)):
        for name, piece in zip((concept, QUALITIES[concept][2]), pieces):
            facts = piece.facts
            yield Clip(n, seed, {"side": name, "mode": facts.mode, "key": facts.root, "instrument": facts.lead,
                                  "pair": n}, piece)


QUALITY_SETS = {name: ConceptSet("side", 4, partial(_sides, name)) for name in QUALITIES}
