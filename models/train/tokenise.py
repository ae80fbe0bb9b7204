"""Composes music, renders it and keeps only its codes: the language model's training set.

    python tokenise.py --work target/train --clips 4000

Needs `codec.safetensors` (frozen). Writes `codes.u16` (uint16 [frames, 4], little-endian) and
`codes.jsonl` (one line a clip: frames, several captions, facts), and goes on where it was
interrupted. Clips are functions of their seeds; the validation seeds are far from the training
seeds and from those the codec was trained on.
"""

import argparse
import json
from itertools import groupby
from pathlib import Path
from random import Random

import numpy as np
import torch
from safetensors.torch import load_file

import device
import workers
from codec import Codec
from music.bank import TRAINING_FONTS, Bank, build
from music.captions import caption
from music.mix import render
from music.pieces import Mix, compose
from saving import told_when_full
from shapes import Shape

TRAIN_SEED, VALID_SEED = 100_000, 10_000_000
CAPTIONS = 6
GROUP = 8  # clips encoded together
CODES, RECORDS = "codes.u16", "codes.jsonl"


def seconds_of(clip: int) -> int:
    """Every sixth clip is 30 s long, the others 10 s."""
    return 30 if clip % 6 == 5 else 10


@torch.no_grad()
def encode(codec: Codec, waves: torch.Tensor) -> np.ndarray:
    """Samples [B, N] -> codes [B, frames, 4]."""
    waves = waves.to(codec.bank.device)
    with device.mixed(waves.device):
        latent = codec.encode(waves)
    flat = latent.float().transpose(1, 2)
    return codec.quantiser.encode(flat.flatten(0, 1)).view(*flat.shape[:2], -1).cpu().numpy().astype(np.uint16)


def load_codec(work: Path, place: str = "cpu") -> Codec:
    """The frozen codec."""
    path = work / "codec.safetensors"
    if not path.exists():
        raise SystemExit(f"{path} is missing: run train_codec.py first")
    codec = Codec(Shape())
    codec.load_published(load_file(path))
    return codec.on(place).eval()


def encode_group(codec: Codec, banks: list, mix: Mix, group: list):
    """Yields (piece, split, seed, codes [frames, 4]) for a few clips (split, seed, seconds), in their order."""
    for length, part in groupby(group, key=lambda clip: clip[2]):
        part = list(part)
        pieces = [compose(seed, length, mix) for _, seed, _ in part]
        waves = [render(p, banks[seed % len(banks)], length, seed) for p, (_, seed, _) in zip(pieces, part)]
        for piece, (split, seed, _), clip in zip(pieces, part, encode(codec, torch.from_numpy(np.stack(waves)))):
            yield piece, split, seed, clip


_studio = ()  # codec and banks of this process


def _begin(work: Path, place: str):
    global _studio
    _studio = load_codec(work, place), [Bank(f, work / "banks") for f in TRAINING_FONTS]


def _encode(group: list) -> list:
    return list(encode_group(*_studio, Mix(), group))


def read_codes(work: Path) -> tuple:
    """The set: codes uint16 [frames, 4] and the records of the clips in their order."""
    if not (work / RECORDS).exists():
        raise SystemExit(f"{work / RECORDS} is missing: run tokenise.py first")
    codes = np.fromfile(work / CODES, dtype="<u2").reshape(-1, Shape().codec.codebooks)
    records = [json.loads(line) for line in (work / RECORDS).open()]
    if sum(record["frames"] for record in records) != len(codes):
        raise SystemExit(f"{work / CODES} and {RECORDS} do not belong together: run tokenise.py again, it mends them")
    return codes, records


def resume(work: Path) -> tuple:
    """(frames, clips) of what an earlier run left; both files are cut back to the last whole group."""
    lines = (work / RECORDS).read_text().splitlines(keepends=True) if (work / RECORDS).exists() else []
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    lines = lines[:len(lines) // GROUP * GROUP]
    frames = sum(json.loads(line)["frames"] for line in lines)
    (work / RECORDS).write_text("".join(lines))
    with (work / CODES).open("ab") as file:
        file.truncate(frames * Shape().codec.codebooks * 2)
    return frames, len(lines)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    parser.add_argument("--clips", type=int, default=5_000)
    parser.add_argument("--held-out", type=int, default=120)
    device.add_argument(parser)
    workers.add_argument(parser)
    a = parser.parse_args()
    for font in TRAINING_FONTS:
        build(font, a.work / "banks")
    todo = [("valid", VALID_SEED + n, seconds_of(n)) for n in range(a.held_out)]
    todo += [("train", TRAIN_SEED + n, seconds_of(n)) for n in range(a.clips)]
    todo.sort(key=lambda t: t[2])
    codes, records = resume(a.work)
    with told_when_full(a.work), (a.work / CODES).open("ab") as codes_file, (a.work / RECORDS).open("a") as records_file:
        starts = range(records, len(todo), GROUP)
        groups = (todo[first:first + GROUP] for first in starts)
        done = workers.run(a.workers, _begin, (a.work, a.device), _encode, groups)
        for first, group in zip(starts, done):
            for piece, split, seed, clip in group:
                rng = Random(seed + 1)
                codes_file.write(clip.astype("<u2").tobytes())
                codes_file.flush()
                records_file.write(json.dumps({
                    "split": split, "seed": seed, "frames": len(clip), **vars(piece.facts),
                    "captions": [piece.caption] + [caption(piece.facts, rng) for _ in range(CAPTIONS - 1)]}) + "\n")
                codes += len(clip)
            records_file.flush()
            if first % 800 == 0:
                print(f"{first} of {len(todo)} clips", flush=True)
    print(f"{codes} frames, {codes / 180_000:.2f} hours")


if __name__ == "__main__":
    main()
