"""YAMNet (Google): logits of 521 AudioSet classes, averaged over patches of 0.96 s every 0.48 s.

Its network is the 8-bit one, so a logit is a multiple of 0.76. Needs `yamnet/` in the judges' folder.
"""

import csv

import librosa
import numpy as np

from . import folder

RATE = 16_000
PATCH, HOP = 96, 48  # frames of 10 ms
INPUT_SCALE, INPUT_ZERO = 0.047937885, 144
OUTPUT_SCALE, OUTPUT_ZERO = 0.7565417, 190


class Yamnet:
    """`logits(wave)` -> [521], in the order of `labels`."""

    def __init__(self, threads: int = 1):
        self.session = folder.session("yamnet/model.onnx", threads)
        with folder.file("yamnet/classes.csv").open() as lines:
            self.labels = [row["display_name"] for row in csv.DictReader(lines)]

    def logits(self, wave: np.ndarray) -> np.ndarray:
        """The classes of one clip at 16 kHz [N], at least a second long."""
        mel = librosa.feature.melspectrogram(y=wave, sr=RATE, n_fft=512, win_length=400, hop_length=160, n_mels=64,
                                             fmin=125, fmax=7_500, htk=True, norm=None, power=1.0)
        features = np.log(mel + 0.001).T
        features = np.clip(np.round(features / INPUT_SCALE + INPUT_ZERO), 0, 255).astype(np.uint8)
        patches = [features[s:s + PATCH] for s in range(0, len(features) - PATCH + 1, HOP)]
        scores = [self.session.run(None, {"audio": p[None, None]})[0][0] for p in patches]
        return OUTPUT_SCALE * (np.mean(scores, 0) - OUTPUT_ZERO)
