"""Learns steering vectors from the model's own activations by difference in means.

    python learn_vectors.py --work target/train

For each concept: pairs of fresh clips (never trained on) with and without it are rendered,
tokenised and read by the decoder with an empty condition; the residual stream leaving each
layer and the output of each self-attention are averaged over time; the vector is the
difference of the two means. One safetensors file a concept in `vectors/`.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from concepts import CONCEPTS, opposite, pairs
from lm import LanguageModel, delayed
from music.bank import TRAINING_FONTS, Bank
from music.mix import render
from shapes import Shape
from tokenise import encode, load_codec

SITES = ("residual", "attention")
SKIP = 16  # positions left out at the start, where nothing has sounded yet


def load_lm(work: Path) -> LanguageModel:
    """The trained language model."""
    path = work / "lm.safetensors"
    if not path.exists():
        raise SystemExit(f"{path} is missing: run train_lm.py first")
    model = LanguageModel(Shape())
    model.load_published(load_file(path))
    return model.eval()


@torch.no_grad()
def activations(model: LanguageModel, codes: torch.Tensor) -> dict:
    """Codes [B, K, T] -> {site: (mean over time [B, L, D], mean norm [L])}, empty condition."""
    ids, _ = delayed(codes, model.shape.codec.codebook_size)
    means = {s: [None] * len(model.decoder.layers) for s in SITES}
    norms = {s: [0.0] * len(model.decoder.layers) for s in SITES}

    def recorder(layer):
        def read(site, h):
            h = h.float()
            means[site][layer] = h[:, SKIP:].mean(1)
            norms[site][layer] = h[:, SKIP:].norm(dim=-1).mean().item()
            return h
        return read

    text = torch.zeros(len(codes), 1, model.shape.decoder.width)
    model.decoder(ids, text, torch.zeros(len(codes), 1, dtype=torch.long), steer=recorder, hidden=True)
    return {s: (torch.stack(means[s], 1), norms[s]) for s in SITES}


def gauge(r: torch.Tensor, held_out: torch.Tensor, a: torch.Tensor, b: torch.Tensor, accuracy: float) -> dict | None:
    """How a concept is read along its direction at one place (`models/src/steering/gauge.rs`).

    `a` and `b` [N, D] are both sides; `r` is the unit direction of their first halves, and `held_out` holds the
    projections on it of the second halves, [2, N/2]. Readings are -1 and 1 at the means of the sides that a direction is
    learnt from. None if the direction does not lead from one side to the other.
    """
    half = len(a) // 2

    def sides(direction, a, b):
        plus, minus = (float((x @ direction).mean()) for x in (a, b))
        return (plus - minus) / 2, (plus + minus) / 2

    learnt, between = sides(r, a[:half], b[:half])
    distance, middle = sides(torch.nn.functional.normalize((a - b).mean(0), dim=-1), a, b)
    if not (learnt > 0 and distance > 0):
        return None
    readings = (held_out - between) / learnt
    plus, minus = ({"mean": float(x.mean()), "deviation": float(x.std(correction=0))} for x in readings)
    return {"scale": 1 / distance, "offset": -middle / distance, "plus": plus, "minus": minus, "accuracy": accuracy}


def learn(model, codec, banks, concept: str, count: int, seconds: float) -> tuple:
    """The tensors and metadata of one concept's vector file."""
    sides = {True: {s: [] for s in SITES}, False: {s: [] for s in SITES}}
    norms = {s: [] for s in SITES}
    batch = list(pairs(concept, count, seconds))
    for first in range(0, count, 8):
        for side in (True, False):
            waves = [render(p[0 if side else 1], banks[seed % len(banks)], seconds, seed)
                     for seed, *p in batch[first:first + 8]]
            codes = torch.from_numpy(encode(codec, torch.from_numpy(np.stack(waves))).astype(np.int64)).transpose(1, 2)
            for site, (mean, norm) in activations(model, codes).items():
                sides[side][site].append(mean)
                norms[site].append(norm)
    tensors, scores, gauges = {}, {}, {}
    for site in SITES:
        a, b = torch.cat(sides[True][site]), torch.cat(sides[False][site])  # [N, L, D]
        half = len(a) // 2
        # Separation on the second half of the clips along the direction of the first half.
        r = torch.nn.functional.normalize((a[:half] - b[:half]).mean(0), dim=-1)
        pa, pb = ((x[half:] * r).sum(-1) for x in (a, b))
        scores[site] = [((pa[:, n] > (pa[:, n].mean() + pb[:, n].mean()) / 2).float().mean()
                         + (pb[:, n] < (pa[:, n].mean() + pb[:, n].mean()) / 2).float().mean()).item() / 2
                        for n in range(a.shape[1])]
        gauges[site] = [gauge(r[n], torch.stack([pa[:, n], pb[:, n]]), a[:, n], b[:, n], scores[site][n])
                        for n in range(a.shape[1])]
        for n, direction in enumerate((a - b).mean(0)):
            tensors[f"{site}.{n}"] = direction.contiguous()
    metadata = {
        "format": "tiller-vector/1", "concept": concept, "method": "difference in means",
        "labels": json.dumps([concept, opposite(concept)]),
        "data": f"{count} pairs of synthesised clips of {seconds:g} s sharing melody, key and tempo, seeds unseen in training; "
                "teacher-forced with an empty condition, mean over time",
        "norms": json.dumps({s: [round(v, 3) for v in np.mean(norms[s], 0).tolist()] for s in SITES}),
        "probe_accuracy": json.dumps({s: [round(v, 3) for v in scores[s]] for s in SITES}),
        "monitor": json.dumps(gauges),
    }
    return tensors, metadata


def recommend(metadata: dict, layers: list, strength: float) -> dict:
    """`metadata` with the layers and strength to use."""
    return metadata | {"layers": json.dumps(layers), "strength": f"{strength:g}"}


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--concepts", nargs="+", default=CONCEPTS)
    parser.add_argument("--layers", type=int, nargs="+", default=[3], help="recommended layers, until `judge_vectors.py` finds better")
    parser.add_argument("--strength", type=float, default=0.3, help="recommended strength")
    a = parser.parse_args()
    model, codec = load_lm(a.work), load_codec(a.work)
    banks = [Bank(f, a.work / "banks") for f in TRAINING_FONTS]
    (a.work / "vectors").mkdir(exist_ok=True)
    for concept in a.concepts:
        tensors, metadata = learn(model, codec, banks, concept, a.pairs, a.seconds)
        path = a.work / "vectors" / f"{concept.replace(' ', '-')}.safetensors"
        save_file(tensors, path, metadata=recommend(metadata, a.layers, a.strength))
        path.chmod(0o644)
        print(f"{concept:18} {metadata['probe_accuracy']}", flush=True)


if __name__ == "__main__":
    main()
