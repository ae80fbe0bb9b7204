"""The concepts that get a steering vector, and the pairs of clips that define them.

A concept yields pairs (with, without) of pieces that share a seed, so melody, key and tempo
are the same or nearly so and the difference in means is about the concept alone.
"""

from copy import copy
from random import Random

from music.captions import STYLES
from music.instruments import INSTRUMENTS, LEADS
from music.pieces import Mix, compose

SEED = 30_000_000
# Instruments that play both slow melodies and fast broken chords.
MOVING = tuple(lead for lead in LEADS if {"melody", "arpeggio"} <= set(INSTRUMENTS[lead].textures))
# Qualities of any music: what is forced on the side that has it, and on the other, and what the other is called.
QUALITIES = {
    "minor": ({"mode": "minor"}, {"mode": "major"}, "major"),
    # On one root: the notes that tell the modes apart are then always the same.
    "C minor": ({"mode": "minor", "root": "C"}, {"mode": "major", "root": "C"}, "C major"),
    "bright": ({"tone": "bright"}, {"tone": "dark"}, "dark"),
    "busy": ({"bpm": 150, "texture": "arpeggio"}, {"bpm": 70, "texture": "melody"}, "calm"),
}
CONCEPTS = LEADS + ("drums", "bass") + STYLES + tuple(QUALITIES)


def opposite(concept: str) -> str:
    """What a concept's direction leads away from."""
    if concept in QUALITIES:
        return QUALITIES[concept][2]
    if concept in STYLES:
        return "other styles"
    return f"without {concept}" if concept in ("drums", "bass") else "other instruments"


def _without(piece, sounds):
    """The piece with the tracks of some sounds removed."""
    bare = copy(piece)
    bare.tracks = [t for t in piece.tracks if t[0] not in sounds]
    return bare


def pairs(concept: str, count: int, seconds: float, first: int = SEED):
    """Yields `count` times (seed, piece with the concept, piece without)."""
    for seed in range(first, first + count):
        rng = Random(seed)
        if concept in ("drums", "bass"):
            whole = compose(seed, seconds, force={"kind": "trio"})
            sounds = ("drums",) if concept == "drums" else ("bass", "upright bass", "synth bass")
            yield seed, whole, _without(whole, sounds)
        elif concept in STYLES:
            other = rng.choice([style for style in STYLES if style != concept])
            yield (seed, *(compose(seed, seconds, Mix(), {"kind": "band", "style": style}) for style in (concept, other)))
        elif concept in QUALITIES:
            shared = {"kind": rng.choice(("solo", "solo", "trio")), "lead": rng.choice(MOVING)}
            yield (seed, *(compose(seed, seconds, Mix(), shared | force) for force in QUALITIES[concept][:2]))
        else:
            kind = rng.choice(("solo", "solo", "trio"))
            other = rng.choice([lead for lead in LEADS if lead != concept])
            yield (seed, *(compose(seed, seconds, Mix(), {"kind": kind, "lead": lead}) for lead in (concept, other)))
