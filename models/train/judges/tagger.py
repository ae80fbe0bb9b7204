"""What the taggers hear in a clip, as one vector: YAMNet's 521 logits, then musicnn's 50 + 50."""

import librosa
import numpy as np

from .musicnn import RATE, Musicnn, features
from .yamnet import Yamnet


class Tagger:
    """`hear(wave, rate)` -> [621]; `labels` names each entry, as "yamnet: Flute" or "MTT: flute"."""

    def __init__(self):
        self.yamnet, self.musicnn = Yamnet(), (Musicnn("MTT"), Musicnn("MSD"))
        self.labels = [f"yamnet: {label}" for label in self.yamnet.labels]
        for name, judge in zip(("MTT", "MSD"), self.musicnn):
            self.labels += [f"{name}: {label}" for label in judge.labels]

    def hear(self, wave: np.ndarray, rate: int) -> np.ndarray:
        """The logits of one clip [N], at least 3 s long."""
        y = librosa.resample(wave.astype(np.float32), orig_sr=rate, target_sr=RATE)
        windows = features(y)
        return np.concatenate([self.yamnet.logits(y), *(judge.logits(windows) for judge in self.musicnn)])
