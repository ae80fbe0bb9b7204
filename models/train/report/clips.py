"""Held-out clips: rendered from seeds that no stage trains on, in the training fonts or in the unseen one.

`make_music.py` counts from 0, `tokenise.py` from 100,000 and 10,000,000, `concepts.py` from 30,000,000. The sets here are
millions away from those, and from each other: the judges' probes are fitted on FIT, and everything that is reported
comes from TEST and UNSEEN.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from music.bank import RATE, TRAINING_FONTS, Bank
from music.captions import STYLES
from music.instruments import LEADS
from music.mix import render
from music.pieces import Piece, compose

FIT, TEST, UNSEEN = 40_000_000, 50_000_000, 60_000_000
UNSEEN_FONT = "timgm"
SECONDS = 5
INSTRUMENTS = LEADS + ("drums",)


@dataclass(frozen=True)
class Clip:
    """One held-out clip before it is rendered: a solo of an instrument, or a band in a style."""

    seed: int
    kind: str
    label: str
    font: str

    def piece(self) -> Piece:
        """The music."""
        force = {"kind": "solo", "lead": self.label} if self.kind == "solo" else {"kind": self.kind}
        return compose(self.seed, SECONDS, force=force)

    def wave(self, banks: dict) -> np.ndarray:
        """Samples [RATE * SECONDS]; `banks` by font."""
        return render(self.piece(), banks[self.font], SECONDS, self.seed)


def fonts_of(base: int) -> tuple:
    """The fonts a set is rendered in."""
    return (UNSEEN_FONT,) if base == UNSEEN else TRAINING_FONTS


def solos(base: int, count: int) -> list:
    """`count` solos of each instrument, the fonts taking turns."""
    fonts = fonts_of(base)
    return [Clip(base + 1_000 * c + n, "solo", label, fonts[n % len(fonts)])
            for c, label in enumerate(INSTRUMENTS) for n in range(count)]


def bands(base: int, count: int) -> list:
    """`count` bands of each style, the fonts taking turns."""
    fonts, found, seed = fonts_of(base), {style: [] for style in STYLES}, base + 500_000
    while any(len(clips) < count for clips in found.values()):
        seed += 1
        style = compose(seed, SECONDS, force={"kind": "band"}).facts.style
        if len(found[style]) < count:
            found[style].append(Clip(seed, "band", style, fonts[len(found[style]) % len(fonts)]))
    return [clip for clips in found.values() for clip in clips]


def trios(base: int, count: int) -> list:
    """`count` trios: a lead over bass and drums."""
    fonts = fonts_of(base)
    return [Clip(base + 800_000 + n, "trio", "trio", fonts[n % len(fonts)]) for n in range(count)]


def open_banks(folder: Path) -> dict:
    """The sample banks by font, made if need be."""
    return {font: Bank(font, folder) for font in (*TRAINING_FONTS, UNSEEN_FONT)}
