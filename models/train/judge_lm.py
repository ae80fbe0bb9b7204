"""What do the judges hear in generated clips?

    TILLER_JUDGES=... python judge_lm.py --work target/train

For a few "solo X" prompts: how often X's tag is the highest of the judged classes, the key,
the share of notes inside it, silence and clipping. Keeps the clips in `samples/`.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile
import torch
from tokenizers import Tokenizer

from generate import generate
from judges.musicnn import Musicnn
from judges.notes import Notes, key_of
from learn_vectors import load_lm
from tokenise import load_codec

TAGS = {"flute": "flute", "violin": "violin", "piano": "piano", "drums": "drums", "acoustic guitar": "guitar", "cello": "cello"}
PROMPTS = [f"solo {lead}" for lead in TAGS] + ["solo piano melody in C major", "solo piano melody in A minor",
                                              "flute with bass and drums", "rock", "house, 124 bpm"]


@torch.no_grad()
def sound(codec, codes: torch.Tensor) -> np.ndarray:
    """Codes [B, K, T] -> samples [B, N]."""
    latent = sum(book[codes[:, q]] for q, book in enumerate(codec.quantiser.books)).transpose(1, 2)
    return np.concatenate([codec.decode(part).numpy() for part in latent.split(4)])


def hear(wave: np.ndarray, tagger: Musicnn, notes: Notes) -> dict:
    """All judges on one clip."""
    tags = tagger.tags(wave, 32_000)
    frames = wave[: len(wave) // 640 * 640].reshape(-1, 640)
    loud = np.sqrt((frames ** 2).mean(1))
    return {"top": max(TAGS, key=lambda lead: tags[TAGS[lead]]), "tags": {t: round(tags[t], 2) for t in TAGS.values()},
            "silence": float((loud < 0.003).mean()), "clipped": float((np.abs(wave) > 0.999).mean()),
            **key_of(notes.activity(wave, 32_000))}


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-k", type=int, default=250)
    parser.add_argument("--prompts", nargs="+", default=PROMPTS)
    a = parser.parse_args()
    model, codec = load_lm(a.work), load_codec(a.work)
    tokenizer = Tokenizer.from_file(str(a.work / "tokenizer.json"))
    tagger, notes = Musicnn(), Notes()
    folder = a.work / "samples"
    folder.mkdir(exist_ok=True)
    report = {}
    for prompt in a.prompts:
        codes = generate(model, [prompt] * a.seeds, tokenizer, int(a.seconds * 50), 1, a.guidance, a.temperature, a.top_k)
        waves = sound(codec, codes)
        heard = [hear(w, tagger, notes) for w in waves]
        for n, wave in enumerate(waves[:3]):
            soundfile.write(folder / f"{prompt.replace(' ', '-').replace(',', '')}-{n}.wav", wave, 32_000)
        row = {k: round(float(np.mean([h[k] for h in heard])), 3) for k in ("silence", "clipped", "in_key", "polyphony", "minorness")}
        row["minor"] = sum(h["mode"] == "minor" for h in heard) / len(heard)
        row["tags"] = {t: round(float(np.mean([h["tags"][t] for h in heard])), 2) for t in TAGS.values()}
        lead = prompt.removeprefix("solo ")
        if lead in TAGS:
            row["hits"] = sum(h["top"] == lead for h in heard) / len(heard)
        report[prompt] = row
        print(f"{prompt:32} {row}", flush=True)
    (a.work / "judge_lm.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
