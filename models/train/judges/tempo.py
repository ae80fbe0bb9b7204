"""Tempo: librosa's onset strength, and the beat whose multiples its autocorrelation repeats at.

Tiller's music is between 70 and 150 beats a minute, and only that range is searched. It is little more than an octave: from
78 to 138, half and double the tempo lie outside, so there a clip at half or double time counts as right.
"""

import librosa
import numpy as np

RATE, HOP = 16_000, 160
SLOWEST, FASTEST = 69.5, 151
BEATS = np.exp(np.arange(np.log(SLOWEST), np.log(FASTEST), 0.0025))
# How much the repetition after so many beats says.
MULTIPLES = {0.5: 0.5, 1: 1.0, 2: 1.0, 3: 1.0, 4: 1.0, 5: 0.5, 6: 0.5}
TOLERANCE = 0.05


def tempo(wave: np.ndarray, rate: int) -> float | None:
    """Beats a minute of a clip [N] of some seconds, or None if it has no onsets."""
    y = librosa.resample(wave.astype(np.float32), orig_sr=rate, target_sr=RATE)
    strength = librosa.onset.onset_strength(y=y, sr=RATE, hop_length=HOP)
    strength = strength - strength.mean()
    if not strength.any():
        return None
    count = len(strength)
    repeats = librosa.autocorrelate(strength) / np.maximum(count - np.arange(count), 0.3 * count)
    lags = 60 * RATE / HOP / BEATS
    score = sum(weight * np.interp(times * lags, np.arange(count), repeats) * (times * lags < 0.8 * count)
                for times, weight in MULTIPLES.items())
    return float(BEATS[score.argmax()])


def compare(heard: float | None, asked: float) -> str:
    """`right` within 5 %, `octave` within 5 % of half or double, else `wrong`."""
    if heard is None:
        return "wrong"
    for factor, verdict in ((1, "right"), (2, "octave"), (0.5, "octave")):
        if abs(heard / (asked * factor) - 1) <= TOLERANCE:
            return verdict
    return "wrong"
