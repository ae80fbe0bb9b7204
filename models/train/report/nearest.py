"""Does the model recite? The nearest training clip of generated clips, against that of music it cannot have seen.

A fingerprint is the energy of 60 semitones, eight times a second. Two windows of it are compared by correlation: 1 is the
same notes at the same times in the same octaves. Every training clip is made again from its seed and every place in it is
tried. Held-out clips of the same grammar say how near strangers come; a model that recites comes nearer.
"""

import librosa
import numpy as np
import soundfile

from music.bank import RATE, TRAINING_FONTS
from music.mix import render
from music.pieces import compose

# As `tokenise.py` has it.
TRAIN_SEED = 100_000
HOP, WINDOW = RATE // 8, 8_192
LOWEST, KEYS = 36, 60


def seconds_of(clip: int) -> int:
    """Length of a training clip, as `tokenise.py` has it."""
    return 30 if clip % 6 == 5 else 10


def _bands() -> np.ndarray:
    """[KEYS, bins]: which FFT bins belong to which semitone."""
    pitches = librosa.hz_to_midi(np.maximum(librosa.fft_frequencies(sr=RATE, n_fft=WINDOW), 1))
    return (np.round(pitches)[None] == np.arange(LOWEST, LOWEST + KEYS)[:, None]).astype(np.float32)


def fingerprint(wave: np.ndarray) -> np.ndarray:
    """[frames, KEYS] magnitudes, compressed by a square root."""
    spectrum = np.abs(librosa.stft(wave, n_fft=WINDOW, hop_length=HOP)) ** 2
    return ((_bands() @ spectrum) ** 0.25).T.astype(np.float16)


def fingerprint_file(path: str, _) -> np.ndarray:
    """Of a WAV file."""
    return fingerprint(soundfile.read(path, dtype="float32")[0])


def fingerprint_training(clip: int, banks: dict) -> np.ndarray:
    """Of training clip `clip`, made again from its seed."""
    seed, seconds = TRAIN_SEED + clip, seconds_of(clip)
    return fingerprint(render(compose(seed, seconds), banks[TRAINING_FONTS[seed % len(TRAINING_FONTS)]], seconds, seed))


def _unit(windows: np.ndarray) -> np.ndarray:
    windows = windows - windows.mean(1, keepdims=True)
    return windows / (np.linalg.norm(windows, axis=1, keepdims=True) + 1e-6)


def similarities(queries: list) -> np.ndarray:
    """Correlation of each pair of clips [N, N], without moving them against each other."""
    rows = _unit(np.stack(queries).astype(np.float32).reshape(len(queries), -1))
    return rows @ rows.T


def nearest(queries: list, training: list) -> np.ndarray:
    """The best correlation of each query anywhere in the training clips [N]."""
    frames = len(queries[0])
    rows = _unit(np.stack(queries).astype(np.float32).reshape(len(queries), -1)).T
    best = np.full(len(queries), -1.0)
    for clip in training:
        places = np.lib.stride_tricks.sliding_window_view(clip.astype(np.float32), frames, 0)  # [places, KEYS, frames]
        windows = places.transpose(0, 2, 1).reshape(len(places), -1)
        best = np.maximum(best, (_unit(windows) @ rows).max(0))
    return best
