"""Reads the set that `make_music.py` wrote."""

import json
from pathlib import Path

import numpy as np
import torch

RATE = 32_000
GRID = 640  # segments start on a codec frame, as every clip does


class Music:
    """`clips` are the JSON records; `wave(record)` is the clip's audio, float32 [N]."""

    def __init__(self, work: Path):
        if not (work / "music.jsonl").exists():
            raise SystemExit(f"{work / 'music.jsonl'} is missing: run make_music.py first")
        self.audio = np.load(work / "music.npy", mmap_mode="r")
        self.clips = [json.loads(line) for line in (work / "music.jsonl").open()]
        self.train = [c for c in self.clips if c["split"] == "train"]
        self.valid = [c for c in self.clips if c["split"] == "valid"]

    def wave(self, record: dict, start: int = 0, length: int | None = None) -> torch.Tensor:
        """Samples of one clip."""
        rows = self.audio[record["row"]:record["row"] + record["rows"]].reshape(-1)
        part = rows[start:None if length is None else start + length]
        return torch.from_numpy(part.astype(np.float32) / 32767)

    def segments(self, rng: np.random.Generator, count: int, length: int) -> torch.Tensor:
        """`count` random loud training segments, [count, length]."""
        out = []
        while len(out) < count:
            record = self.train[rng.integers(len(self.train))]
            start = int(rng.integers((record["rows"] * self.audio.shape[1] - length) // GRID)) * GRID
            part = self.wave(record, start, length)
            if part.square().mean() > 1.5e-3:
                out.append(part)
        return torch.stack(out)
