"""What a piece is called: many phrasings of the same facts, each of them partly left out.

A caption is built from a `Facts` record by a seeded generator, so the same seed always says
the same thing. `examples` yields captions without any music, enough to train a tokenizer.
"""

from dataclasses import dataclass, field
from random import Random

from .instruments import BASSES, INSTRUMENTS, LEADS
from .studies import ROOTS, draw_subject

ROOT_SPELLINGS = {"C sharp": ("C sharp", "C#", "D flat", "Db"), "E flat": ("E flat", "Eb"),
                  "F sharp": ("F sharp", "F#", "G flat"), "A flat": ("A flat", "Ab", "G sharp"),
                  "B flat": ("B flat", "Bb")}
STYLES = ("rock", "pop", "folk", "hip-hop", "house", "jazz", "orchestral")
STYLE_WORDS = {
    "rock": ("rock", "rock", "energetic rock", "rock band"), "pop": ("pop", "pop", "bright pop"),
    "folk": ("folk", "folk", "acoustic folk"), "hip-hop": ("hip-hop", "hip hop", "hip-hop beat"),
    "house": ("house", "house", "electronic house", "dance"), "jazz": ("jazz", "jazz", "jazz combo"),
    "orchestral": ("orchestral", "orchestral", "classical", "orchestra"),
}
MOODS = {"major": ("happy", "bright", "cheerful", "uplifting", "sunny"),
         "minor": ("sad", "dark", "melancholic", "moody", "sombre")}
TEXTURES = {"melody": ("melody", "tune", "line", "theme"), "arpeggio": ("arpeggio", "arpeggios", "broken chords"),
            "chords": ("chords", "chord progression", "harmony"), "bassline": ("bass line", "groove", "riff"),
            "beat": ("beat", "groove", "pattern", "loop"), "study": ("study", "exercise")}
TONES = {"bright": ("bright tone", "brilliant sound", "crisp tone"), "dark": ("dark tone", "muffled sound", "mellow tone")}


@dataclass
class Facts:
    """All that is true of a piece and may be said of it.

    `kind` is solo, trio, band or study; a study is about one note, chord or progression, named by
    `subject`. `tone` is bright, dark or empty.
    """

    kind: str
    lead: str
    texture: str = "melody"
    mode: str = "major"
    root: str = "C"
    bpm: int = 100
    style: str = ""
    with_instruments: list = field(default_factory=list)
    drums: bool = False
    subject: str = ""
    tone: str = ""


def pace(bpm: int) -> tuple:
    """Words for a tempo in beats per minute."""
    if bpm < 88:
        return ("slow", "calm", "relaxed")
    if bpm < 118:
        return ("mid-tempo", "moderate", "steady")
    return ("fast", "lively", "upbeat")


def article(phrase: str) -> str:
    """`phrase` with a or an before it."""
    return ("an " if phrase[0].lower() in "aeiou" else "a ") + phrase


def _listing(words: list) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _details(facts: Facts, rng: Random) -> list:
    """Key, tempo and the like, each kept with its own chance, in random order."""
    root = rng.choice(ROOT_SPELLINGS.get(facts.root, (facts.root,)))
    out = []
    tonal = facts.lead != "drums" and facts.kind != "study"
    if facts.tone and rng.random() < 0.7:
        out.append(rng.choice(TONES[facts.tone]))
    if tonal and rng.random() < 0.55:
        out.append(rng.choice((f"in {root} {facts.mode}", f"in {root} {facts.mode}",
                               f"in a {facts.mode} key", f"{root} {facts.mode}", f"{facts.mode} key")))
    if rng.random() < 0.4:
        out.append(rng.choice((f"{facts.bpm} bpm", f"at {facts.bpm} bpm", f"{facts.bpm} BPM",
                               f"{rng.choice(pace(facts.bpm))} tempo")))
    rng.shuffle(out)
    return out


def caption(facts: Facts, rng: Random) -> str:
    """One phrasing of `facts`."""
    if facts.lead == "drums":
        lead = rng.choice(("drums", "drum kit", "drum", "percussion"))
    else:
        lead = rng.choice(INSTRUMENTS[facts.lead].names) if rng.random() < 0.4 else facts.lead
    texture = rng.choice(TEXTURES[facts.texture])
    moody = facts.lead != "drums" and facts.kind != "study"
    mood = rng.choice(MOODS[facts.mode]) if moody and rng.random() < 0.3 else ""
    speed = rng.choice(pace(facts.bpm)) if rng.random() < 0.3 else ""
    adjectives = [w for w in (mood, speed) if w]
    rng.shuffle(adjectives)
    adjective = " ".join(adjectives)
    others = [rng.choice(INSTRUMENTS[n].names) if rng.random() < 0.3 else n for n in facts.with_instruments]
    if facts.drums and facts.kind != "solo":
        others.append("drums")

    if facts.kind == "solo":
        body = rng.choice((
            f"solo {lead}", f"solo {lead}", f"{adjective} solo {lead}", f"{adjective} {lead} {texture}",
            f"{lead} playing {article((adjective + ' ' + texture).strip())}", f"{adjective} {lead} solo",
            f"{lead} {texture}", f"{lead} alone", f"{adjective} {lead}", f"{lead}",
            f"just {article(lead)}, {adjective}".rstrip(", "), f"unaccompanied {lead}, {texture}",
        ))
        if facts.style and rng.random() < 0.5:
            body = f"{rng.choice(STYLE_WORDS[facts.style])} {body}"
    elif facts.kind == "study":
        body = rng.choice((f"{lead} playing {facts.subject}", f"{facts.subject} on {lead}", f"{lead}, {facts.subject}",
                           f"solo {lead}, {facts.subject}", f"{facts.subject}, {lead}"))
    elif facts.kind == "trio":
        body = rng.choice((
            f"{lead} with {_listing(others)}", f"{adjective} {lead} {texture} over {_listing(others)}",
            f"{adjective} {lead} {texture} with {_listing(others)}", f"{_listing([lead] + others)}",
            f"{lead} lead, {_listing(others)}", f"{adjective} tune for {_listing([lead] + others)}",
        ))
        if facts.style and rng.random() < 0.5:
            body = rng.choice((f"{rng.choice(STYLE_WORDS[facts.style])}, {body}",
                               f"{rng.choice(STYLE_WORDS[facts.style])} {body}"))
    else:
        style = rng.choice(STYLE_WORDS[facts.style])
        body = rng.choice((
            f"{style}", f"{adjective} {style}", f"{adjective} {style} music", f"{style} with {_listing([lead] + others)}",
            f"{adjective} {style} track with {article(lead)}", f"{style} song, {_listing([lead] + others)}",
            f"{adjective} {style} featuring {lead}",
        ))
    parts = [" ".join(body.split())] + _details(facts, rng)
    text = rng.choice((", ", ", ", " ")).join(parts) if len(parts) > 1 else parts[0]
    style = rng.random()
    if style < 0.2:
        text = text[0].upper() + text[1:]
    if style < 0.1:
        text += "."
    return text


def random_facts(rng: Random) -> Facts:
    """Facts without music behind them, covering every word a caption can use."""
    kind = rng.choice(("solo", "trio", "band", "study"))
    lead = rng.choice(LEADS + BASSES + ("drums",)) if kind == "solo" else rng.choice(LEADS)
    texture = {"drums": "beat"}.get(lead) or rng.choice(INSTRUMENTS[lead].textures)
    mode, root = rng.choice(("major", "minor")), rng.choice(ROOTS)
    return Facts(kind, lead, texture, mode, root, rng.randint(70, 150),
                 rng.choice(STYLES) if kind == "band" or rng.random() < 0.5 else "",
                 [rng.choice(LEADS + BASSES) for _ in range(rng.randint(1, 3))], rng.random() < 0.7,
                 draw_subject(rng, root, mode).name, rng.choice(("", "bright", "dark")))


def examples(count: int, seed: int = 1):
    """`count` captions of random facts."""
    rng = Random(seed)
    for _ in range(count):
        yield caption(random_facts(rng), rng)
