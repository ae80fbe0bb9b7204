"""Sets of clips whose classes differ in one concept, after SynTheory.

All else that a clip has (instrument, octave, root, rhythm, tempo, loudness, sound font) is drawn anew for each clip, in the
same way in all classes, and may be the class instead. It is not shared or taken in turns on purpose: a
clip that is held out would leave its root rarer in its own class than in the others, and a probe that hears
roots alone would score below chance.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from .captions import STYLES, Facts
from .instruments import INSTRUMENTS, LEADS
from .pieces import Piece, compose
from .studies import CHORDS, PROGRESSIONS, ROOTS, Subject, study

SEED = 40_000_000  # far from the seeds of the training set and of `concepts.py`
MELODIC = tuple(name for name in LEADS if "melody" in INSTRUMENTS[name].textures)


@dataclass(frozen=True)
class Clip:
    """Clip `number` of its class; `labels` are the columns of the table, the class first; rendered with `seed`."""

    number: int
    seed: int
    labels: dict
    piece: Piece


@dataclass(frozen=True)
class ConceptSet:
    """`concept` names the column of the class; `seconds` is how long a clip has to be to show it."""

    concept: str
    seconds: float
    clips: Callable[[int, float], Iterator[Clip]]


def _grid(classes: tuple, count: int) -> Iterator[tuple]:
    """(class, number in the class, seed) of every clip."""
    for n in range(count):
        for place, name in enumerate(classes):
            yield name, n, SEED + n * len(classes) + place


def _study(rng: Random, subject: Subject, root: str, mode: str, instrument: str, span: tuple, seconds: float,
           bpm: int = 0) -> Piece:
    """One subject alone."""
    bpm = bpm or rng.randint(80, 150)  # from 80 on, a note of the bank lasts a bar
    bars = int(seconds * bpm / 240) + 2
    facts = Facts("study", instrument, "study", mode, root, bpm, subject=subject.name)
    played = study(rng, subject, 60 + ROOTS.index(root), mode, *span, bars)
    return Piece(facts, subject.name, [(instrument, 1.0, played)], bars)


def _span(instrument: str) -> tuple:
    return max(INSTRUMENTS[instrument].low, 40), INSTRUMENTS[instrument].high


def octaves(instrument: str) -> tuple:
    """The octaves, from C to B, that an instrument can play whole; octave 4 begins at middle C."""
    i = INSTRUMENTS[instrument]
    return tuple(octave for octave in range(1, 8) if i.low <= 12 * (octave + 1) and 12 * octave + 23 <= i.high)


def notes(count: int, seconds: float) -> Iterator[Clip]:
    """One note again and again: instruments x pitch classes x octaves."""
    for name, n, seed in _grid(ROOTS, count):
        rng = Random(seed)
        instrument = rng.choice(tuple(INSTRUMENTS))
        octave = rng.choice(octaves(instrument))
        low = 12 * (octave + 1)
        piece = _study(rng, Subject(name, "note", ()), name, "major", instrument, (low, low + 11), seconds)
        yield Clip(n, seed, {"pitch_class": name, "octave": octave, "instrument": instrument}, piece)


def chords(count: int, seconds: float) -> Iterator[Clip]:
    """One chord again and again: types x roots x instruments."""
    for kind, n, seed in _grid(tuple(CHORDS), count):
        rng = Random(seed)
        instrument, root = rng.choice(MELODIC), rng.choice(ROOTS)
        subject = Subject(kind, "chord", CHORDS[kind])
        piece = _study(rng, subject, root, "major", instrument, _span(instrument), seconds)
        yield Clip(n, seed, {"chord_type": kind, "root": root, "instrument": instrument}, piece)


def progressions(count: int, seconds: float) -> Iterator[Clip]:
    """Named progressions, a clip just long enough for its four chords."""
    modes = {name: mode for mode, named in PROGRESSIONS.items() for name in named}
    for name, n, seed in _grid(tuple(modes), count):
        rng, mode = Random(seed), modes[name]
        instrument, key = rng.choice(MELODIC), rng.choice(ROOTS)
        subject = Subject(name, "progression", PROGRESSIONS[mode][name])
        piece = _study(rng, subject, key, mode, instrument, _span(instrument), seconds, bpm=round(4 * 240 / seconds))
        yield Clip(n, seed, {"progression": name, "mode": mode, "key": key, "instrument": instrument}, piece)


def styles(count: int, seconds: float) -> Iterator[Clip]:
    """Bands as in the training set. A style is also its instruments and its range of tempo."""
    for style, n, seed in _grid(STYLES, count):
        piece = compose(seed, seconds, force={"kind": "band", "style": style})
        facts = piece.facts
        yield Clip(n, seed, {"style": style, "mode": facts.mode, "key": facts.root, "instrument": facts.lead}, piece)


def instruments(count: int, seconds: float) -> Iterator[Clip]:
    """Melodies."""
    for name, n, seed in _grid(MELODIC, count):
        piece = compose(seed, seconds, force={"kind": "solo", "lead": name, "texture": "melody"})
        yield Clip(n, seed, {"instrument": name, "mode": piece.facts.mode, "key": piece.facts.root}, piece)


SETS = {
    "notes": ConceptSet("pitch_class", 4, notes),
    "chords": ConceptSet("chord_type", 4, chords),
    "progressions": ConceptSet("progression", 8, progressions),
    "styles": ConceptSet("style", 4, styles),
    "instruments": ConceptSet("instrument", 4, instruments),
}
