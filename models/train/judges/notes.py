"""Notes by basic-pitch (Spotify, Apache-2.0), and the key they imply.

Needs `nmp.onnx` in the judges' folder.
"""

import librosa
import numpy as np

from . import folder

WINDOW, RATE, FRAMES = 43_844, 22_050, 172
# Temperley's revised key profiles, C major and C minor.
PROFILES = {"major": (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
            "minor": (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330)}
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10, 11)}


class Notes:
    """`activity(wave, rate)` -> probability of each piano key (from A0), [frames, 88]."""

    def __init__(self, threads: int = 1):
        self.session = folder.session("nmp.onnx", threads)

    def hear(self, wave: np.ndarray, rate: int) -> tuple:
        """Posteriors that a key sounds and that it starts, each [frames, 88]."""
        y = librosa.resample(wave.astype(np.float32), orig_sr=rate, target_sr=RATE)
        count = -(-len(y) // WINDOW)
        windows = np.pad(y, (0, count * WINDOW - len(y))).reshape(count, WINDOW, 1)
        sounding, starting = self.session.run(["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"],
                                              {"serving_default_input_2:0": windows})
        return sounding.reshape(-1, 88), starting.reshape(-1, 88)

    def activity(self, wave: np.ndarray, rate: int) -> np.ndarray:
        """Note posteriors of one clip [N]."""
        return self.hear(wave, rate)[0]


def note_count(starting: np.ndarray) -> int:
    """How many notes start: times at which a key's start becomes likelier than not."""
    on = starting > 0.5
    return int((on[1:] & ~on[:-1]).sum() + on[0].sum())


def key_of(activity: np.ndarray) -> dict:
    """Root (0 = C), mode, major-minus-minor correlation, and the share of sounding time in that key."""
    sounding = np.where(activity > 0.4, activity, 0).sum(0)
    classes = np.zeros(12)
    for n, amount in enumerate(sounding):
        classes[(n + 9) % 12] += amount
    if classes.sum() == 0:
        return {"root": None, "mode": None, "minorness": 0.0, "in_key": 0.0, "polyphony": 0.0}
    fits = {(root, mode): np.corrcoef(np.roll(profile, root), classes)[0, 1]
            for mode, profile in PROFILES.items() for root in range(12)}
    root, mode = max(fits, key=fits.get)
    best = {m: max(v for (_, mm), v in fits.items() if mm == m) for m in PROFILES}
    inside = sum(classes[(root + s) % 12] for s in SCALES[mode]) / classes.sum()
    return {"root": root, "mode": mode, "minorness": best["minor"] - best["major"], "in_key": float(inside),
            "polyphony": float((activity > 0.4).sum(1).mean())}
