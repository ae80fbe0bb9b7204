"""What do the judges hear in clips of a finished bundle, plain and steered?

    TILLER_JUDGES=... python judge_bundle.py --tiller target/release/tiller --bundle models/default

Everything goes through the product's own command line, so these are the figures of what is shipped. For each prompt: the
share of percussive energy (harmonic-percussive separation), notes at a time and share inside the best key
(basic-pitch), musicnn's logits. For each steering: the mean change over the same seeds with a 95 % interval, beside that of
a random direction of the same norm.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch
from safetensors.torch import load_file, save_file

from judges.musicnn import Musicnn
from judges.notes import Notes, key_of

TAGS = ("flute", "violin", "piano", "drums", "guitar")
FIGURES = ("percussive", "notes", "in key", "level", *TAGS)
PROMPTS = ("solo flute", "drums", "solo piano", "solo violin", "solo organ", "solo trumpet melody")
STEERINGS = (("solo flute", "drums"), ("solo flute", "violin"), ("solo flute", "organ"), ("drums", "flute"),
             ("drums", "trumpet"))


class Ear:
    """Generates a prompt with every seed and listens."""

    def __init__(self, tiller: Path, bundle: Path, seeds: int, seconds: float, scratch: Path):
        self.command = [str(tiller), "generate", "--quiet", "--bundle", str(bundle), "--seconds", f"{seconds:g}"]
        self.seeds, self.clip = seeds, scratch / "clip.wav"
        self.tagger, self.notes = Musicnn(), Notes()

    def hear(self, prompt: str, steer: str | None = None) -> np.ndarray:
        """[seeds, figures]."""
        extra = ["--steer", steer, "--steer-layers", "4"] if steer else []
        rows = []
        for seed in range(self.seeds):
            subprocess.run([*self.command, "--prompt", prompt, "--seed", str(seed), "--out", str(self.clip), *extra],
                           check=True)
            wave, rate = soundfile.read(self.clip, dtype="float32")
            harmonic, percussive = librosa.decompose.hpss(np.abs(librosa.stft(wave, n_fft=1024)))
            hits, tones = (percussive ** 2).sum(), (harmonic ** 2).sum()
            key, tags = key_of(self.notes.activity(wave, rate)), self.tagger.tags(wave, rate)
            rows.append([hits / (hits + tones + 1e-12), key["polyphony"], key["in_key"],
                         float(np.sqrt((wave ** 2).mean())), *(tags[t] for t in TAGS)])
        return np.array(rows)


def changes(after: np.ndarray, before: np.ndarray) -> str:
    """Mean paired change of each figure with its 95 % interval."""
    change = after - before
    interval = 1.96 * change.std(0, ddof=1) / len(change) ** 0.5
    return "  ".join(f"{name} {m:+.2f}+-{w:.2f}" for name, m, w in zip(FIGURES, change.mean(0), interval))


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiller", type=Path, default=Path("target/release/tiller"))
    parser.add_argument("--bundle", type=Path, default=Path("models/default"))
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--strength", type=float, default=0.3)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        ear = Ear(a.tiller, a.bundle, a.seeds, a.seconds, scratch)
        plain = {}
        for prompt in PROMPTS:
            plain[prompt] = ear.hear(prompt)
            print(f"{prompt:22}", "  ".join(f"{n} {v:.2f}" for n, v in zip(FIGURES, plain[prompt].mean(0))), flush=True)
        generator = torch.Generator().manual_seed(3)
        shapes = load_file(next((a.bundle / "vectors").glob("*.safetensors")))
        control = scratch / "random.safetensors"
        save_file({n: torch.randn(v.shape, generator=generator) for n, v in shapes.items()}, control,
                  metadata={"format": "tiller-vector/1", "concept": "random"})
        controlled = {}
        for prompt, concept in STEERINGS:
            if prompt not in controlled:
                controlled[prompt] = changes(ear.hear(prompt, f"{control}:{a.strength}"), plain[prompt])
            steered = changes(ear.hear(prompt, f"{concept}:{a.strength}"), plain[prompt])
            print(f"{prompt} -> {concept:10} {steered}\n{prompt} -> {'random':10} {controlled[prompt]}", flush=True)


if __name__ == "__main__":
    main()
