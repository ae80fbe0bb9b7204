"""Reads the set that `make_music.py` wrote."""

import json
from pathlib import Path

import numpy as np
import torch

RATE = 32_000
GRID = 640  # segments start on a codec frame, as every clip does


class Music:
    """`clips` are the JSON records; `wave(record)` is the clip's audio, float32 [N].

    On a GPU all of the audio lies in its memory, two bytes a sample.
    """

    def __init__(self, work: Path, device: str = "cpu"):
        if not (work / "music.jsonl").exists():
            raise SystemExit(f"{work / 'music.jsonl'} is missing: run make_music.py first")
        self.clips = [json.loads(line) for line in (work / "music.jsonl").open()]
        self.train = [c for c in self.clips if c["split"] == "train"]
        self.valid = [c for c in self.clips if c["split"] == "valid"]
        # Read-write so that torch takes it, copy-on-write so that the file stays.
        audio = np.load(work / "music.npy", mmap_mode="c")
        self.row = audio.shape[1]
        self.samples = torch.from_numpy(audio).view(-1).to(device)

    def wave(self, record: dict, start: int = 0, length: int | None = None) -> torch.Tensor:
        """Samples of one clip."""
        row = self.row
        end = (record["row"] + record["rows"]) * row if length is None else record["row"] * row + start + length
        return self.samples[record["row"] * row + start:end].float() / 32767

    def segments(self, rng: np.random.Generator, count: int, length: int) -> torch.Tensor:
        """`count` random loud training segments, [count, length]."""
        row, out, found = self.row, [], 0
        while found < count:
            picks = [self.train[n] for n in rng.integers(len(self.train), size=count)]
            starts = [c["row"] * row + int(rng.integers((c["rows"] * row - length) // GRID)) * GRID for c in picks]
            part = torch.stack([self.samples[start:start + length] for start in starts]).float() / 32767
            out.append(part[part.square().mean(1) > 1.5e-3])
            found += len(out[-1])
        return torch.cat(out)[:count]
