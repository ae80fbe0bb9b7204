"""Grammars of single parts: melody, arpeggio, chords, bass line and drums.

Every part is a list of `Note`s in beats. Randomness comes from the given `Random` alone.
"""

from dataclasses import dataclass
from random import Random

from .instruments import DRUMS
from .theory import chord_tones, degree_pitch, into_range, voicing


@dataclass
class Note:
    """Start and length in beats, MIDI key and velocity."""

    start: float
    length: float
    key: int
    velocity: int


# One bar of 4/4 as note lengths in beats; negative is a rest.
MELODY_RHYTHMS = (
    (1, 1, 1, 1), (2, 1, 1), (1, 1, 2), (1.5, 0.5, 1, 1), (1, 0.5, 0.5, 2), (0.5, 0.5, 1, 1, 1), (2, 2),
    (1.5, 0.5, 2), (0.5, 0.5, 0.5, 0.5, 1, 1), (3, 1), (1, 1, 1, -1), (0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1),
    (1.5, 1.5, 1), (0.75, 0.75, 0.5, 1, 1), (0.5, 1, 0.5, 1, 1), (1, 2, 1),
)


def melody(rng: Random, harmony: list, root: int, mode: str, low: int, high: int) -> list:
    """A singable line: a two-bar motif in rhythm, mostly steps, chord tones on strong beats."""
    centre = (low + high) // 2
    base = into_range(root, centre - 9, centre + 3)
    motif = [rng.choice(MELODY_RHYTHMS), rng.choice(MELODY_RHYTHMS)]
    degree, notes = rng.choice((0, 2, 4)), []
    for bar, chord in enumerate(harmony):
        rhythm = motif[bar % 2] if rng.random() < 0.75 else rng.choice(MELODY_RHYTHMS)
        beat = 0.0
        targets = {chord % 7, (chord + 2) % 7, (chord + 4) % 7}
        for length in rhythm:
            if length < 0:
                beat -= length
                continue
            step = rng.choice((-1, -1, 1, 1, 1, -2, 2, 0, rng.choice((-4, -3, 3, 4))))
            degree += step
            if degree > 9 or degree < -3:
                degree -= 2 * step if step else 0
                degree = max(-3, min(9, degree))
            if beat in (0.0, 2.0) and degree % 7 not in targets:
                degree += 1 if (degree + 1) % 7 in targets else -1
            key = degree_pitch(base, mode, degree)
            if mode == "minor" and chord % 7 == 4 and degree % 7 == 6:
                key += 1
            accent = 12 if beat == 0.0 else 0
            notes.append(Note(4 * bar + beat, length * rng.uniform(0.85, 1.0), into_range(key, low, high),
                              rng.randint(78, 100) + accent))
            beat += length
    return notes


def arpeggio(rng: Random, harmony: list, root: int, mode: str, low: int, high: int, seventh: bool) -> list:
    """Broken chords in eighths or sixteenths: up, down, up and down, or a fixed pattern."""
    centre = (low + high) // 2
    step = rng.choice((0.5, 0.5, 0.5, 0.25, 1.0))
    count = int(4 / step)
    shape = rng.choice(("up", "down", "updown", "pattern"))
    pattern = [rng.randrange(4) for _ in range(4)]
    ring = rng.choice((0.95, 0.95, 2.0)) * step
    notes = []
    for bar, chord in enumerate(harmony):
        tones = voicing(chord_tones(root, mode, chord, seventh), centre, low, high)
        ladder = tones + [t + 12 for t in tones if t + 12 <= high]
        order = {"up": ladder, "down": ladder[::-1], "updown": ladder + ladder[-2:0:-1],
                 "pattern": [ladder[p % len(ladder)] for p in pattern]}[shape]
        for n in range(count):
            notes.append(Note(4 * bar + n * step, ring, order[n % len(order)],
                              rng.randint(74, 92) + (14 if n % max(count // 2, 1) == 0 else 0)))
    return notes


COMPING = ((0,), (0, 2), (0, 1, 2, 3), (0, 1.5), (0, 1.5, 3), (0.5, 1.5, 2.5, 3.5), (0, 0.5, 1.5, 2, 3))


def chords(rng: Random, harmony: list, root: int, mode: str, low: int, high: int, seventh: bool,
           sustained: bool = False) -> list:
    """Block chords, held or in a comping rhythm."""
    centre = rng.randint((low + high) // 2 - 4, (low + high) // 2 + 4)
    hits = (0,) if sustained else rng.choice(COMPING)
    notes = []
    for bar, chord in enumerate(harmony):
        tones = voicing(chord_tones(root, mode, chord, seventh), centre, low, high)
        for n, hit in enumerate(hits):
            end = hits[n + 1] if n + 1 < len(hits) else 4
            velocity = rng.randint(72, 96)
            notes += [Note(4 * bar + hit, (end - hit) * 0.92, t, velocity) for t in tones]
    return notes


BASS_RHYTHMS = {
    "rock": (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5), "pop": (0, 1.5, 2, 3.5), "folk": (0, 2), "hip-hop": (0, 0.75, 2.5),
    "house": (0.5, 1.5, 2.5, 3.5), "jazz": (0, 1, 2, 3), "orchestral": (0, 2),
}


def bass(rng: Random, harmony: list, root: int, mode: str, style: str) -> list:
    """A bass line on the chord roots; jazz walks."""
    hits, notes = BASS_RHYTHMS[style], []
    for bar, chord in enumerate(harmony):
        tones = chord_tones(root, mode, chord)
        following = chord_tones(root, mode, harmony[(bar + 1) % len(harmony)])[0]
        for n, hit in enumerate(hits):
            tone = tones[0]
            if style == "jazz":
                tone = (tones[0], tones[1], tones[2], following + rng.choice((-1, 1)))[n]
            elif style == "folk" and n == 1:
                tone = tones[2]
            elif n and rng.random() < 0.2:
                tone = rng.choice((tones[2], tones[0] + 12))
            end = hits[n + 1] if n + 1 < len(hits) else 4
            notes.append(Note(4 * bar + hit, min(end - hit, 2) * 0.92, into_range(tone, 30, 50), rng.randint(88, 108)))
    return notes


# Sixteen steps a bar: x hit, o accent, - soft hit by chance.
BEATS = {
    "rock": ({"kick": "o.....x.x.......", "snare": "....o.......o...", "closed": "x.x.x.x.x.x.x.x."},
             {"kick": "o.x.....o.x.....", "snare": "....o.......o...", "closed": "x.x.x.x.x.x.x.x."},
             {"kick": "o.......x.x.....", "snare": "....o.......o..-", "ride": "x.x.x.x.x.x.x.x."}),
    "pop": ({"kick": "o.......o.......", "snare": "....o.......o...", "closed": "x.x.x.x.x.x.x.x."},
            {"kick": "o..x..x.o.......", "clap": "....o.......o...", "closed": "x-x-x-x-x-x-x-x-"}),
    "folk": ({"kick": "o.......x.......", "rim": "....x.......x...", "shaker": "x.-.x.-.x.-.x.-."},
             {"kick": "o.......o.......", "pedal": "....x.......x..."}),
    "hip-hop": ({"kick": "o......x..o.....", "snare": "....o.......o...", "closed": "x.x.x.xxx.x.x.x."},
                {"kick": "o..x......xx....", "clap": "....o.......o...", "closed": "x.x.x.x.x.x.xxxx"},
                {"kick": "o.x....-.xo.....", "snare": "....o..-....o...", "closed": "x.x.x.x.x.x.x.x."}),
    "house": ({"kick": "o...o...o...o...", "clap": "....x.......x...", "open": "..x...x...x...x."},
              {"kick": "o...o...o...o...", "clap": "....x.......x...", "closed": "x-x-x-x-x-x-x-x-", "open": "..x...x...x...x."}),
    "jazz": ({"ride": "o...x..xo...x..x", "pedal": "....x.......x...", "kick": "x.......-......."},
             {"ride": "o...x..xo...x..x", "pedal": "....x.......x...", "rim": "......-......x.."}),
    "orchestral": ({"low tom": "o.......x...x...", "crash": "................"}, {"low tom": "o.......x.......", "snare": "....-.......--.."}),
}


def drums(rng: Random, bars: int, style: str) -> list:
    """A drum part: one pattern, a fill every fourth bar, now and then a crash."""
    pattern, notes = rng.choice(BEATS[style]), []
    for bar in range(bars):
        fill = bar % 4 == 3 and rng.random() < 0.5
        for name, steps in pattern.items():
            for n, mark in enumerate(steps):
                if mark == "." or (mark == "-" and rng.random() < 0.5) or (fill and n >= 12):
                    continue
                velocity = {"o": 112, "x": 94, "-": 66}[mark] + rng.randint(-6, 6)
                notes.append(Note(4 * bar + n / 4, 1.0, DRUMS[name], velocity))
        if fill:
            kit = rng.choice((("snare",) * 4, ("high tom", "high tom", "mid tom", "low tom"), ("snare", "high tom", "mid tom", "low tom")))
            notes += [Note(4 * bar + 3 + n / 4, 1.0, DRUMS[k], 92 + 6 * n) for n, k in enumerate(kit)]
        if bar % 8 == 0 and style in ("rock", "pop", "house") and rng.random() < 0.6:
            notes.append(Note(4 * bar, 1.0, DRUMS["crash"], 96))
    return notes
