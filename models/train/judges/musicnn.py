"""musicnn (Jordi Pons, ISC): tags of 3 s windows, averaged over a clip.

Needs `MTT_musicnn.onnx` or `MSD_musicnn.onnx`, and `labels.json`, in the judges' folder.
"""

import json

import librosa
import numpy as np

from . import folder

RATE = 16_000
WINDOW, HOP = 187, 94  # frames of 16 ms


def features(wave: np.ndarray) -> np.ndarray:
    """Windows of a clip at 16 kHz [N], at least 3 s long: [windows, 187, 96]."""
    mel = librosa.feature.melspectrogram(y=wave, sr=RATE, n_fft=512, hop_length=256, n_mels=96)
    frames = np.log10(10_000 * mel + 1).T.astype(np.float32)
    return np.stack([frames[s:s + WINDOW] for s in range(0, len(frames) - WINDOW + 1, HOP)])


class Musicnn:
    """`logits(windows)` -> [50], in the order of `labels`."""

    def __init__(self, name: str = "MTT", threads: int = 1):
        self.session = folder.session(f"{name}_musicnn.onnx", threads)
        self.labels = json.loads(folder.file("labels.json").read_text())[f"{name}_musicnn"]

    def logits(self, windows: np.ndarray) -> np.ndarray:
        """Mean logits over the windows of a clip."""
        chances = np.clip(self.session.run(["model/y:0"], {"model/x:0": windows})[0], 1e-6, 1 - 1e-6)
        return np.log(chances / (1 - chances)).mean(0)
