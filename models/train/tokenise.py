"""Composes music, renders it and keeps only its codes: the language model's training set.

    python tokenise.py --work target/train --clips 4000

Needs `codec.safetensors` (frozen). Writes `codes.npy` (uint16 [frames, 4]) and `codes.jsonl`
(one line a clip: frames, several captions, facts). Clips are functions of their seeds; the
validation seeds are far from the training seeds and from those the codec was trained on.
"""

import argparse
import json
from pathlib import Path
from random import Random

import numpy as np
import torch
from safetensors.torch import load_file

from codec import Codec
from make_music import TRAINING_FONTS
from music.bank import Bank
from music.captions import caption
from music.mix import render
from music.pieces import Mix, compose
from shapes import Shape

TRAIN_SEED, VALID_SEED = 100_000, 10_000_000
CAPTIONS = 6


def seconds_of(clip: int) -> int:
    """Every sixth clip is 30 s long, the others 10 s."""
    return 30 if clip % 6 == 5 else 10


@torch.no_grad()
def encode(codec: Codec, waves: torch.Tensor) -> np.ndarray:
    """Samples [B, N] -> codes [B, frames, 4]."""
    with torch.autocast("cpu", torch.bfloat16):
        latent = codec.encode(waves)
    flat = latent.float().transpose(1, 2)
    return codec.quantiser.encode(flat.flatten(0, 1)).view(*flat.shape[:2], -1).numpy().astype(np.uint16)


def load_codec(work: Path) -> Codec:
    """The frozen codec."""
    path = work / "codec.safetensors"
    if not path.exists():
        raise SystemExit(f"{path} is missing: run train_codec.py first")
    codec = Codec(Shape())
    codec.load_published(load_file(path))
    return codec.eval()


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    parser.add_argument("--clips", type=int, default=4_000)
    parser.add_argument("--held-out", type=int, default=120)
    parser.add_argument("--solo", type=float, default=Mix.solo)
    parser.add_argument("--trio", type=float, default=Mix.trio)
    a = parser.parse_args()
    codec, mix = load_codec(a.work), Mix(a.solo, a.trio)
    banks = [Bank(f, a.work / "banks") for f in TRAINING_FONTS]
    todo = [("valid", VALID_SEED + n, seconds_of(n)) for n in range(a.held_out)]
    todo += [("train", TRAIN_SEED + n, seconds_of(n)) for n in range(a.clips)]
    todo.sort(key=lambda t: t[2])
    codes, records = [], []
    for first in range(0, len(todo), 8):
        for length in sorted({t[2] for t in todo[first:first + 8]}):
            group = [t for t in todo[first:first + 8] if t[2] == length]
            pieces = [compose(seed, length, mix) for _, seed, _ in group]
            waves = [render(p, banks[seed % len(banks)], length, seed) for p, (_, seed, _) in zip(pieces, group)]
            for piece, (split, seed, _), clip_codes in zip(pieces, group, encode(codec, torch.from_numpy(np.stack(waves)))):
                rng = Random(seed + 1)
                codes.append(clip_codes)
                records.append({"split": split, "seed": seed, "frames": len(clip_codes), **vars(piece.facts),
                                "captions": [piece.caption] + [caption(piece.facts, rng) for _ in range(CAPTIONS - 1)]})
        if first % 800 == 0:
            print(f"{first} of {len(todo)} clips", flush=True)
    np.save(a.work / "codes.npy", np.concatenate(codes))
    (a.work / "codes.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    print(f"{sum(map(len, codes))} frames, {sum(map(len, codes)) / 180_000:.2f} hours")


if __name__ == "__main__":
    main()
