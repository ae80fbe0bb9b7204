"""Studies after SynTheory: one note, one chord or one chord progression, and nothing else.

They teach the model what pitch, chord type and progression are without the distractions of a
piece, and they are the known answers that probes are tested on.
"""

from dataclasses import dataclass
from random import Random

from .parts import Note
from .theory import chord_tones, voicing

ROOTS = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")

# Chord types as semitones above the root.
CHORDS = {"major": (0, 4, 7), "minor": (0, 3, 7), "diminished": (0, 3, 6), "augmented": (0, 4, 8),
          "dominant seventh": (0, 4, 7, 10), "minor seventh": (0, 3, 7, 10), "major seventh": (0, 4, 7, 11)}

# Named progressions as scale degrees, by mode.
PROGRESSIONS = {
    "major": {"I V vi IV": (0, 4, 5, 3), "I IV V I": (0, 3, 4, 0), "I vi IV V": (0, 5, 3, 4), "ii V I": (1, 4, 0, 0)},
    "minor": {"i VI III VII": (0, 5, 2, 6), "i iv V i": (0, 3, 4, 0), "i VII VI VII": (0, 6, 5, 6)},
}

# Beats between onsets: held, walking, repeated.
RHYTHMS = ((4,), (2, 2), (1, 1, 1, 1), (2, 1, 1), (0.5,) * 8)


@dataclass(frozen=True)
class Subject:
    """What a study is about: `form` is note, chord or progression; `detail` its type or degrees."""

    name: str
    form: str
    detail: tuple


def draw_subject(rng: Random, root: str, mode: str) -> Subject:
    """A subject on `root`; progressions are in `mode`."""
    form = rng.choice(("note", "chord", "chord", "progression"))
    if form == "note":
        return Subject(rng.choice((f"the note {root}", f"a single {root}", f"{root} notes")), form, ())
    if form == "chord":
        kind = rng.choice(tuple(CHORDS))
        return Subject(f"{root} {kind} chord", form, CHORDS[kind])
    name = rng.choice(tuple(PROGRESSIONS[mode]))
    return Subject(rng.choice((f"{name} in {root} {mode}", f"{root} {mode} chord progression {name}")), form,
                   PROGRESSIONS[mode][name])


def study(rng: Random, subject: Subject, root: int, mode: str, low: int, high: int, bars: int) -> list:
    """The notes of a study, four beats a bar, every bar alike or its octave."""
    rhythm, velocity = rng.choice(RHYTHMS), rng.randint(76, 104)
    centre = rng.randint((low + high) // 2 - 7, (low + high) // 2 + 7)
    notes = []
    for bar in range(bars):
        if subject.form == "note":
            tones = voicing([root], centre + rng.choice((0, 0, 0, 12, -12)), low, high)
        elif subject.form == "chord":
            tones = voicing([root + step for step in subject.detail], centre, low, high)
        else:
            tones = voicing(chord_tones(root, mode, subject.detail[bar % len(subject.detail)]), centre, low, high)
        beat = 0.0
        for length in rhythm:
            notes += [Note(4 * bar + beat, length * 0.92, tone, velocity + rng.randint(-6, 6)) for tone in tones]
            beat += length
    return notes
