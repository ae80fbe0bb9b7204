"""Does a steering vector raise its concept in generated clips, more than a random direction?

    TILLER_JUDGES=... python test_steering.py --work target/train --concept flute

Same prompt and seeds for every setting; the figure is the judge's logit (for "minor": how much
better a minor than a major key fits the notes), its change from the unsteered clips with a
95 % interval of paired differences. Appends to `steering.csv`.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer

from generate import Steering, generate
from judge_lm import TAGS, hear, sound
from judges.musicnn import Musicnn
from judges.notes import Notes
from learn_vectors import load_lm
from tokenise import load_codec

PROMPTS = {"minor": "solo piano melody", "drums": "piano with bass"}


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    parser.add_argument("--concept", default="flute")
    parser.add_argument("--prompt")
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.5, 1.0])
    parser.add_argument("--layers", nargs="+", default=["1-3", "2-5", "4-6", "0-7"])
    parser.add_argument("--site", default="residual")
    a = parser.parse_args()
    model, codec = load_lm(a.work), load_codec(a.work)
    tokenizer = Tokenizer.from_file(str(a.work / "tokenizer.json"))
    tagger, notes = Musicnn(), Notes()
    file = load_file(a.work / "vectors" / f"{a.concept.replace(' ', '-')}.safetensors")
    depth = len(model.decoder.layers)
    directions = F.normalize(torch.stack([file[f"{a.site}.{n}"] for n in range(depth)]), dim=-1)
    random = F.normalize(torch.randn(directions.shape, generator=torch.Generator().manual_seed(7)), dim=-1)
    prompt = a.prompt or PROMPTS.get(a.concept, "solo clarinet melody")
    tag = TAGS.get(a.concept)

    def score(steering):
        codes = generate(model, [prompt] * a.seeds, tokenizer, int(a.seconds * 50), 3, steering=steering)
        heard = [hear(w, tagger, notes) for w in sound(codec, codes)]
        return (np.array([h["tags"][tag] if tag else h["minorness"] for h in heard]),
                np.mean([h["in_key"] for h in heard]), np.mean([h["silence"] for h in heard]))

    plain, in_key, silence = score(None)
    print(f"{a.concept}: prompt {prompt!r}, unsteered {plain.mean():.3f}, in key {in_key:.2f}, silence {silence:.3f}", flush=True)
    with (a.work / "steering.csv").open("a", newline="") as out:
        writer = csv.writer(out)
        for span in a.layers:
            low, _, high = span.partition("-")
            layers = tuple(range(int(low), int(high or low) + 1))
            for strength in a.strengths:
                for name, vector in (("vector", directions), ("random", random)):
                    values, in_key, silence = score(Steering(vector, strength, layers, a.site))
                    change = values - plain
                    half = 1.96 * change.std(ddof=1) / np.sqrt(len(change))
                    row = [a.concept, a.site, span, strength, name, f"{change.mean():.3f}", f"{half:.3f}", f"{in_key:.3f}", f"{silence:.3f}"]
                    writer.writerow(row)
                    out.flush()
                    print(*row, flush=True)


if __name__ == "__main__":
    main()
