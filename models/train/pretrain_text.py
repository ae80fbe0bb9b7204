"""Teaches the text encoder what captions say before the decoder has to listen to it.

    python pretrain_text.py --work target/train --minutes 2

In ordinary training only a clip's first frames need their caption: after that the music itself tells how it
goes on, so a text encoder that starts from nothing gets almost no gradient and the decoder learns to ignore it.
Here the mean of the projected text states must predict what the clip is made of: the histogram of its codes in
each codebook, its lead instrument, style and mode, and whether there are drums. The cross-attention starts anew.
Reads `codes.u16`, `codes.jsonl` and, if there is one, `lm.pt`, whose decoder it keeps; writes `lm.pt`.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lm import LanguageModel
from shapes import PAD_TEXT, Shape
from threads import Threads
from train_lm import Codes

LABELS = ("lead", "style", "mode", "drums", "kind")


def histograms(data: Codes, clips: list, entries: int) -> torch.Tensor:
    """Share of each code in each codebook of each clip, [clips, codebooks, entries]."""
    rows = [[np.bincount(data.codes[c["offset"]:c["offset"] + c["frames"], k], minlength=entries)
             for k in range(data.codes.shape[1])] for c in clips]
    counts = torch.tensor(np.array(rows), dtype=torch.float32)
    return counts / counts.sum(-1, keepdim=True)


def texts(clips: list, captions: list) -> tuple:
    """Token ids [B, L] and mask [B, L] of one caption of each clip."""
    ids = [c["ids"][n] for c, n in zip(clips, captions)]
    width = max(map(len, ids))
    text = torch.full((len(ids), width), PAD_TEXT)
    for row, tokens in enumerate(ids):
        text[row, :len(tokens)] = torch.tensor(tokens)
    mask = torch.zeros_like(text)
    for row, tokens in enumerate(ids):
        mask[row, :len(tokens)] = 1
    return text, mask


def pooled(model: LanguageModel, text, mask) -> torch.Tensor:
    """Mean projected state of each caption, [B, D]."""
    return model.condition(text, mask).sum(1) / mask.sum(1, keepdim=True)


def start_anew(model: LanguageModel):
    """Fresh cross-attention, so that nothing it learned while the text was noise remains."""
    for layer in model.decoder.layers:
        for parameter in layer.encoder_attn.parameters():
            nn.init.normal_(parameter, std=0.04)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--batch", type=int, default=96)
    a = parser.parse_args()
    threads = Threads(2)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    shape = Shape()
    data, model, path = Codes(a.work), LanguageModel(shape), a.work / "lm.pt"
    saved = torch.load(path, weights_only=False) if path.exists() else {"step": 0, "spent": 0.0}
    if "model" in saved:
        fresh = model.state_dict()
        model.load_state_dict({n: v if n.startswith("decoder.") else fresh[n] for n, v in saved["model"].items()})
    start_anew(model)

    train, valid = data.by_split["train"], data.by_split["valid"]
    entries, books = shape.codec.codebook_size, shape.codec.codebooks
    target = {"train": histograms(data, train, entries), "valid": histograms(data, valid, entries)}
    classes = {name: sorted({str(c.get(name)) for c in train}) for name in LABELS}
    heads = nn.ModuleDict({name: nn.Linear(shape.decoder.width, len(values)) for name, values in classes.items()})
    codes_head = nn.Linear(shape.decoder.width, books * entries)
    modules = [model.text_encoder, model.enc_to_dec_proj, heads, codes_head]
    parameters = [p for m in modules for p in m.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)

    def labels(clips, name):
        return torch.tensor([classes[name].index(str(c.get(name))) if str(c.get(name)) in classes[name] else -100
                             for c in clips])

    begun, step = time.time(), 0
    while (progress := (time.time() - begun) / (60 * a.minutes)) < 1:
        threads()
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * min(1, (step + 1) / 50) * max(0.05, 1 - progress)
        picks = rng.integers(len(train), size=a.batch)
        clips = [train[n] for n in picks]
        state = pooled(model, *texts(clips, [int(rng.integers(len(c["captions"]))) for c in clips]))
        said = codes_head(state).unflatten(1, (books, entries)).log_softmax(-1)
        loss = -(target["train"][picks] * said).sum(-1).mean()
        for name, head in heads.items():
            loss = loss + 0.3 * F.cross_entropy(head(state), labels(clips, name), ignore_index=-100)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        step += 1
        if step % 40 == 0:
            with torch.no_grad():
                state = pooled(model, *texts(valid, [0] * len(valid)))
                said = codes_head(state).unflatten(1, (books, entries)).log_softmax(-1)
                right = {n: (h(state).argmax(-1) == labels(valid, n)).float().mean().item() for n, h in heads.items()}
                held_out = -(target["valid"] * said).sum(-1).mean(0)
            print(f"{(time.time() - begun) / 60:5.2f} min  step {step}  held out: codes {[round(v, 2) for v in held_out.tolist()]}"
                  f"  right {({n: round(v, 2) for n, v in right.items()})}", flush=True)
    torch.save({"model": model.state_dict(), "step": saved["step"], "spent": 0.0}, path)


if __name__ == "__main__":
    main()
