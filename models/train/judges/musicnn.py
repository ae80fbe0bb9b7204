"""musicnn (Jordi Pons, ISC): tags of 3 s windows, averaged over a clip.

Needs `MTT_musicnn.onnx` and `labels.json` in the folder named by TILLER_JUDGES.
"""

import json
import os
from pathlib import Path

import librosa
import numpy as np
import onnxruntime


class Musicnn:
    """`tags(wave, rate)` -> dict of tag to mean logit."""

    def __init__(self, name: str = "MTT", threads: int = 1):
        folder = os.environ.get("TILLER_JUDGES")
        if not folder:
            raise SystemExit("set TILLER_JUDGES to the folder with MTT_musicnn.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(Path(folder) / f"{name}_musicnn.onnx"), options)
        labels = json.loads((Path(folder) / "labels.json").read_text())
        self.labels = labels[f"{name}_musicnn"]

    def tags(self, wave: np.ndarray, rate: int) -> dict:
        """Tags of one clip [N]."""
        y = librosa.resample(wave.astype(np.float32), orig_sr=rate, target_sr=16_000)
        mel = librosa.feature.melspectrogram(y=y, sr=16_000, n_fft=512, hop_length=256, n_mels=96)
        features = np.log10(10_000 * mel + 1).T.astype(np.float32)
        windows = [features[s:s + 187] for s in range(0, len(features) - 186, 94)]
        chances = self.session.run(["model/y:0"], {"model/x:0": np.stack(windows)})[0]
        chances = np.clip(chances, 1e-6, 1 - 1e-6)
        return dict(zip(self.labels, np.log(chances / (1 - chances)).mean(0).tolist()))
