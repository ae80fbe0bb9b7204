"""The instruments: what they are called, which sound they use and how they may be played."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Instrument:
    """`program` is General MIDI (0-based); pitches are MIDI notes; `release` is in seconds."""

    name: str
    program: int
    low: int
    high: int
    names: tuple
    textures: tuple = ("melody", "arpeggio", "chords")
    release: float = 0.12
    family: str = "keys"


_MONO = ("melody", "arpeggio")
_ALL = ("melody", "arpeggio", "chords")

INSTRUMENTS = {i.name: i for i in (
    Instrument("piano", 0, 36, 88, ("piano", "grand piano", "acoustic piano"), _ALL, 0.2),
    Instrument("electric piano", 4, 36, 84, ("electric piano", "Rhodes", "e-piano"), _ALL, 0.2),
    Instrument("vibraphone", 11, 53, 89, ("vibraphone", "vibes"), _ALL, 0.5, "mallets"),
    Instrument("xylophone", 13, 60, 96, ("xylophone",), _MONO, 0.3, "mallets"),
    Instrument("organ", 16, 40, 84, ("organ", "Hammond organ", "drawbar organ"), _ALL, 0.06),
    Instrument("acoustic guitar", 25, 40, 80, ("acoustic guitar", "steel-string guitar", "folk guitar"),
               _ALL, 0.25, "guitar"),
    Instrument("electric guitar", 27, 40, 82, ("electric guitar", "clean electric guitar"), _ALL, 0.15, "guitar"),
    Instrument("distorted guitar", 30, 40, 80, ("distorted guitar", "heavy guitar", "overdriven electric guitar"),
               _ALL, 0.1, "guitar"),
    Instrument("violin", 40, 55, 93, ("violin", "fiddle"), _MONO, 0.12, "bowed"),
    Instrument("cello", 42, 36, 72, ("cello", "violoncello"), _MONO, 0.15, "bowed"),
    Instrument("strings", 48, 40, 88, ("strings", "string ensemble", "string section"), ("chords", "melody"), 0.3, "bowed"),
    Instrument("trumpet", 56, 55, 84, ("trumpet",), _MONO, 0.1, "brass"),
    Instrument("saxophone", 65, 49, 82, ("saxophone", "sax", "alto sax"), _MONO, 0.1, "reed"),
    Instrument("clarinet", 71, 50, 88, ("clarinet",), _MONO, 0.1, "reed"),
    Instrument("flute", 73, 60, 94, ("flute",), _MONO, 0.12, "pipe"),
    Instrument("synth lead", 81, 48, 86, ("synth lead", "synthesizer", "saw lead"), _MONO, 0.08, "synth"),
    Instrument("pad", 89, 40, 82, ("pad", "synth pad", "warm pad"), ("chords",), 0.5, "synth"),
    Instrument("bass", 33, 28, 55, ("bass", "bass guitar", "electric bass"), ("bassline",), 0.08, "bass"),
    Instrument("upright bass", 32, 28, 55, ("upright bass", "double bass"), ("bassline",), 0.15, "bass"),
    Instrument("synth bass", 38, 28, 55, ("synth bass", "bass synth"), ("bassline",), 0.06, "bass"),
)}

LEADS = tuple(n for n, i in INSTRUMENTS.items() if i.family != "bass")
BASSES = tuple(n for n, i in INSTRUMENTS.items() if i.family == "bass")

# General MIDI drum keys used by the grammars.
DRUMS = {"kick": 36, "rim": 37, "snare": 38, "clap": 39, "closed": 42, "pedal": 44, "open": 46,
         "low tom": 45, "mid tom": 47, "high tom": 50, "crash": 49, "ride": 51, "shaker": 70}
