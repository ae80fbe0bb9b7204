"""Notes by basic-pitch (Spotify, Apache-2.0).

Needs `nmp.onnx` in the judges' folder.
"""

import librosa
import numpy as np

from . import folder

WINDOW, RATE = 43_844, 22_050


class Notes:
    """`hear(wave, rate)` -> how likely each piano key (from A0) sounds and starts."""

    def __init__(self, threads: int = 1):
        self.session = folder.session("nmp.onnx", threads)

    def hear(self, wave: np.ndarray, rate: int) -> tuple:
        """Probabilities that a key sounds and that it starts in one clip [N], each [frames, 88]."""
        y = librosa.resample(wave.astype(np.float32), orig_sr=rate, target_sr=RATE)
        count = -(-len(y) // WINDOW)
        windows = np.pad(y, (0, count * WINDOW - len(y))).reshape(count, WINDOW, 1)
        sounding, starting = self.session.run(["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"],
                                              {"serving_default_input_2:0": windows})
        return sounding.reshape(-1, 88), starting.reshape(-1, 88)


def note_count(starting: np.ndarray) -> int:
    """How many notes start: times at which a key's start becomes likelier than not."""
    on = starting > 0.5
    return int((on[1:] & ~on[:-1]).sum() + on[0].sum())
