"""From notes to samples: notes cut out of the bank, released, mixed, coloured, a little room.

Players are more or less loose: each clip has its own spread of onsets and each track its own
level. Onsets are rounded to the codec's frames (20 ms). A note of the bank then meets the codec in the same phase every time it sounds, which
takes most of the phase out of the codes: two kilobits a second are few, and both the codec
and the language model can spend them on what is heard.
"""

from random import Random

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from .bank import RATE, Bank
from .instruments import INSTRUMENTS
from .pieces import Piece

GRID = 640    # samples of a codec frame
LEVEL = 0.12  # root mean square of a finished clip, full scale = 1


def _room(rng: Random) -> np.ndarray:
    """A short decaying noise tail with a direct path, [samples]."""
    length = int(RATE * rng.uniform(0.15, 0.4))
    noise = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(length).astype(np.float32)
    tail = noise * np.exp(-6 * np.arange(length) / length) * rng.uniform(0.005, 0.015)
    tail[: RATE // 100] = 0
    tail[0] = 1.0
    return tail.astype(np.float32)


def _coloured(wave: np.ndarray, tone: str) -> np.ndarray:
    """The clip darker (second-order low-pass at 1.4 kHz) or brighter (the part above 2.5 kHz three times as strong)."""
    if tone == "dark":
        return sosfilt(butter(2, 1_400, fs=RATE, output="sos"), wave).astype(np.float32)
    return wave + 2 * sosfilt(butter(2, 2_500, "high", fs=RATE, output="sos"), wave).astype(np.float32)


def render(piece: Piece, bank: Bank, seconds: float, seed: int, room: float = 0.1) -> np.ndarray:
    """The clip, float32 [RATE * seconds], on the frame grid; `room` is the share with reverb."""
    rng = Random(seed ^ 0x5EED)
    total = int(RATE * seconds)
    out = np.zeros(total, np.float32)
    beat = 60 / piece.facts.bpm
    loose = rng.choice((0.0, 0.002, 0.004, 0.008))  # seconds, standard deviation
    for sound, gain, notes in piece.tracks:
        gain = gain * 10 ** (rng.uniform(-3, 3) / 20)
        release = 0.3 if sound == "drums" else INSTRUMENTS[sound].release
        for note in notes:
            start = max(0, round(RATE * (note.start * beat + rng.gauss(0, loose)) / GRID)) * GRID
            if start >= total:
                continue
            held, tail = max(1, round(RATE * note.length * beat / GRID)) * GRID, int(RATE * release)
            wave = bank.note(sound, note.key, min(note.velocity, 120), min(held + tail, total - start))
            if len(wave) > held:
                wave[held:] *= np.exp(-5 * np.arange(len(wave) - held, dtype=np.float32) / tail)
            if len(wave) > 64:
                wave[-64:] *= np.linspace(1, 0, 64, dtype=np.float32)
            out[start:start + len(wave)] += gain * wave
    if piece.facts.tone:
        out = _coloured(out, piece.facts.tone)
    if rng.random() < room:
        out = fftconvolve(out, _room(rng))[:total].astype(np.float32)
    out *= LEVEL / max(float(np.sqrt(np.mean(out ** 2))), 1e-5)
    return np.tanh(out * 0.9) / 0.9 if np.abs(out).max() > 0.95 else out
