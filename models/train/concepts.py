"""The concepts that get a steering vector, and the pairs of clips that define them.

A concept yields pairs (with, without) of pieces that share a seed, so melody, key and tempo
are the same or nearly so and the difference in means is about the concept alone.
"""

from copy import copy
from random import Random

from music.instruments import LEADS
from music.pieces import Mix, compose

SEED = 30_000_000
INSTRUMENTS = ("flute", "violin", "piano", "acoustic guitar", "trumpet", "organ", "distorted guitar",
               "xylophone", "saxophone", "synth lead")
CONCEPTS = INSTRUMENTS + ("drums", "minor", "bass")


def _without(piece, sounds):
    """The piece with the tracks of some sounds removed."""
    bare = copy(piece)
    bare.tracks = [t for t in piece.tracks if t[0] not in sounds]
    return bare


def pairs(concept: str, count: int, seconds: float):
    """Yields `count` times (seed, piece with the concept, piece without)."""
    for n in range(count):
        seed = SEED + n
        rng = Random(seed)
        if concept in ("drums", "bass"):
            whole = compose(seed, seconds, force={"kind": "trio"})
            sounds = ("drums",) if concept == "drums" else ("bass", "upright bass", "synth bass")
            yield seed, whole, _without(whole, sounds)
        elif concept == "minor":
            kind = rng.choice(("solo", "solo", "trio"))
            lead = rng.choice(LEADS)
            yield (seed, *(compose(seed, seconds, Mix(), {"kind": kind, "lead": lead, "mode": m}) for m in ("minor", "major")))
        else:
            kind = rng.choice(("solo", "solo", "trio"))
            other = rng.choice([lead for lead in LEADS if lead != concept])
            yield (seed, *(compose(seed, seconds, Mix(), {"kind": kind, "lead": lead}) for lead in (concept, other)))
