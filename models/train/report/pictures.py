"""Spectrograms, few and small."""

from pathlib import Path

import librosa
import matplotlib
import numpy as np
import soundfile

from music.bank import RATE

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def _draw(axis, file: str, title: str):
    wave = soundfile.read(file, dtype="float32")[0]
    mel = librosa.feature.melspectrogram(y=wave, sr=RATE, n_fft=2_048, hop_length=640, n_mels=96, fmax=12_000)
    axis.imshow(librosa.power_to_db(mel, ref=np.max, top_db=70), origin="lower", aspect="auto", cmap="magma",
                extent=(0, len(wave) / RATE, 0, 96), interpolation="nearest")
    axis.set_title(title, fontsize=8, pad=2)
    axis.set_yticks([])
    axis.tick_params(labelsize=6)


def grid(panels: list, columns: int, path: Path):
    """Panels (WAV file, title), row by row: mel spectrograms to 12 kHz, 70 dB deep, time in seconds."""
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.2 * columns, 1.35 * rows), dpi=100, squeeze=False)
    for axis, (file, title) in zip(axes.flat, panels):
        _draw(axis, file, title)
    for axis in list(axes.flat)[len(panels):]:
        axis.axis("off")
    figure.tight_layout(pad=0.4)
    figure.savefig(path, pil_kwargs={"optimize": True})
    plt.close(figure)
