"""Qualities that need no trained ear: how bright a clip is, and how much happens in it, measured and put on a scale.

The scale is a discriminant of the one measured quantity, fitted on raw renders of pieces that differ in the quality alone.
"""

import librosa
import numpy as np

from .probe import Probe

FLOOR = 50.0  # Hz: silence has no centre


def brightness(wave: np.ndarray, rate: int) -> float:
    """The centre of the magnitude spectrum, in octaves above 50 Hz, each instant counting by its loudness."""
    magnitude = np.abs(librosa.stft(y=wave, n_fft=1024, hop_length=512)).sum(1)
    centre = (librosa.fft_frequencies(sr=rate, n_fft=1024) * magnitude).sum() / max(magnitude.sum(), 1e-9)
    return float(np.log2(max(centre, FLOOR) / FLOOR))


def busyness(notes: float) -> float:
    """Notes a second, in doublings."""
    return float(np.log2(notes + 0.5))


class Meter:
    """`chance(values)` [N]: how likely each has the quality rather than its opposite."""

    def __init__(self, having: np.ndarray, lacking: np.ndarray):
        """Fits the values measured on both sides."""
        values = np.concatenate([having, lacking])[:, None]
        self.probe = Probe(values, [True] * len(having) + [False] * len(lacking), (False, True))

    def chance(self, values: np.ndarray) -> np.ndarray:
        """Probabilities of the quality."""
        return np.exp(self.probe.scores(np.asarray(values, float)[:, None])[:, 1])
