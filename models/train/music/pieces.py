"""Whole pieces: which instruments play which parts, in which key and tempo, and what is said of it."""

from dataclasses import dataclass
from itertools import accumulate
from random import Random

from . import parts
from .captions import STYLES, Facts, caption
from .instruments import BASSES, INSTRUMENTS, LEADS
from .studies import ROOTS, draw_subject, study
from .theory import JAZZ, PROGRESSIONS

# Instruments that may lead and accompany a style, tempo range, and its bass.
STYLE_BANDS = {
    "rock": (("distorted guitar", "electric guitar", "organ"), ("distorted guitar", "electric guitar", "organ"), (100, 150), "bass"),
    "pop": (("synth lead", "piano", "electric guitar", "electric piano"), ("piano", "acoustic guitar", "pad", "electric piano"), (90, 130), "bass"),
    "folk": (("flute", "violin", "acoustic guitar", "clarinet"), ("acoustic guitar",), (80, 125), "upright bass"),
    "hip-hop": (("electric piano", "synth lead", "flute", "vibraphone"), ("electric piano", "pad", "piano"), (70, 98), "synth bass"),
    "house": (("synth lead", "piano", "organ"), ("pad", "piano", "organ"), (118, 130), "synth bass"),
    "jazz": (("saxophone", "trumpet", "vibraphone", "clarinet", "piano"), ("piano", "electric piano", "electric guitar"), (90, 150), "upright bass"),
    "orchestral": (("violin", "flute", "trumpet", "clarinet", "cello"), ("strings",), (70, 120), "cello"),
}


@dataclass(frozen=True)
class Mix:
    """Shares of the kinds of piece; the rest is full styles."""

    solo: float = 0.54
    trio: float = 0.20
    study: float = 0.06


@dataclass
class Piece:
    """`tracks` holds (sound, gain, notes); `bars` bars of four beats at `facts.bpm`."""

    facts: Facts
    caption: str
    tracks: list
    bars: int


def _lead_notes(rng, name, texture, harmony, root, mode, seventh):
    i = INSTRUMENTS[name]
    span = (max(i.low, 40), i.high)
    if i.family in ("keys", "guitar"):
        span = (max(i.low, 48), min(i.high, 84))
    if texture == "melody":
        return parts.melody(rng, harmony, root, mode, *span)
    if texture == "arpeggio":
        return parts.arpeggio(rng, harmony, root, mode, *span, seventh)
    return parts.chords(rng, harmony, root, mode, *span, seventh, sustained=name in ("pad", "strings"))


def compose(seed: int, seconds: float, mix: Mix = Mix(), force: dict | None = None) -> Piece:
    """The piece of a seed, at least `seconds` long.

    `force` may fix "kind", "mode", "root", "tone", "bpm", "style" and, but for bands, "lead" and "texture"; everything else is drawn as
    without it, so two pieces of one seed differ in little but what was forced.
    """
    rng, force = Random(seed), force or {}
    draw = rng.random()
    shares = {"solo": mix.solo, "trio": mix.trio, "study": mix.study}
    kind = next((name for name, end in zip(shares, accumulate(shares.values())) if draw < end), "band")
    mode, root_name = rng.choice(("major", "minor")), rng.choice(ROOTS)
    kind, mode, root_name = (force.get(name, drawn) for name, drawn in (("kind", kind), ("mode", mode), ("root", root_name)))
    root = 60 + ROOTS.index(root_name)
    style = force.get("style", rng.choice(STYLES))
    leads, seconds_, tempi, bass = STYLE_BANDS[style]
    bpm = rng.randint(*tempi) if kind == "band" else rng.randint(70, 150)
    bpm = force.get("bpm", bpm)
    bars = int(seconds * bpm / 240) + 2
    seventh = style == "jazz" and kind == "band"
    cycle = rng.choice((JAZZ if seventh else PROGRESSIONS)[mode])
    harmony = [cycle[b % 4] for b in range(bars)]

    if kind == "solo":
        style = ""
        lead = rng.choice(LEADS + ("drums", "drums", "bass", "upright bass", "synth bass"))
        lead = force.get("lead", lead)
        if lead == "drums":
            style = rng.choice(STYLES)
            facts = Facts(kind, lead, "beat", mode, root_name, bpm, style, [], True)
            tracks = [("drums", 1.0, parts.drums(rng, bars, style))]
        elif lead in BASSES:
            style = rng.choice(STYLES)
            facts = Facts(kind, lead, "bassline", mode, root_name, bpm)
            tracks = [(lead, 1.0, parts.bass(rng, harmony, root, mode, style))]
        else:
            texture = force.get("texture", rng.choice(INSTRUMENTS[lead].textures))
            facts = Facts(kind, lead, texture, mode, root_name, bpm)
            tracks = [(lead, 1.0, _lead_notes(rng, lead, texture, harmony, root, mode, False))]
    elif kind == "study":
        lead = force.get("lead", rng.choice([name for name in LEADS if "melody" in INSTRUMENTS[name].textures]))
        subject = draw_subject(rng, root_name, mode)
        i = INSTRUMENTS[lead]
        facts = Facts(kind, lead, "study", mode, root_name, bpm, subject=subject.name)
        tracks = [(lead, 1.0, study(rng, subject, root, mode, max(i.low, 40), i.high, bars))]
    elif kind == "trio":
        lead = force.get("lead", rng.choice(LEADS))
        low = rng.choice(BASSES)
        texture = force.get("texture", rng.choice(INSTRUMENTS[lead].textures))
        facts = Facts(kind, lead, texture, mode, root_name, bpm, style, [low], True)
        tracks = [(lead, 1.0, _lead_notes(rng, lead, texture, harmony, root, mode, False)),
                  (low, 0.8, parts.bass(rng, harmony, root, mode, style)),
                  ("drums", 0.8, parts.drums(rng, bars, style))]
    else:
        lead, backing = rng.choice(leads), rng.choice(seconds_)
        facts = Facts(kind, lead, "melody", mode, root_name, bpm, style, [backing, bass], True)
        tracks = [(lead, 1.0, _lead_notes(rng, lead, "melody", harmony, root, mode, seventh)),
                  (backing, 0.5, _lead_notes(rng, backing, "chords", harmony, root, mode, seventh)),
                  (bass, 0.8, parts.bass(rng, harmony, root, mode, style))]
        facts.drums = style != "orchestral" or rng.random() < 0.4
        if facts.drums:
            tracks.append(("drums", 0.9, parts.drums(rng, bars, style)))
    # Drawn last, so that forcing anything above leaves it alone.
    tone = Random(seed ^ 0x70E).random()
    facts.tone = force.get("tone", "dark" if tone < 0.06 else "bright" if tone < 0.12 else "")
    return Piece(facts, caption(facts, rng), tracks, bars)
