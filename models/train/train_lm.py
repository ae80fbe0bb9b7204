"""Trains text encoder and decoder together on the codes, by the clock.

    python train_lm.py --work target/train --minutes 40

Checkpoints every 90 seconds to `lm.pt` and goes on from it; writes `lm.safetensors` and `lm.csv`
(held-out loss of each codebook, with and without its text).
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer

from device import add_argument, mixed
from lm import LanguageModel, delayed
from optim import Optimiser, clock_factor
from saving import replace
from shapes import PAD_TEXT, Shape
from threads import Threads
from tokenise import read_codes

DROPPED = 0.12                            # share of examples without text
# Frames of an example, examples in a batch, share of the batches. Short crops come from anywhere in a clip: only where
# nothing was heard before must the text be listened to. Long ones teach form and far positions. Fewer clips in a batch
# made more steps and learned less: the frames of one clip are too much alike.
LENGTHS = ((100, 24, 0.4), (400, 6, 0.52), (1500, 2, 0.08))
# Share of the tokens heard that are not what was played: few in most examples, so that a take survives its own
# mistakes; many in the others, so that they have to be guessed from the text. From a share of the time on: before it
# has learned how music goes on, the model learns nothing from being disturbed.
FEW, MANY, OFTEN, CORRUPTED_FROM = 0.03, (0.4, 1.0), 0.2, 0.3
WEIGHTS = (1.4, 1.0, 0.9, 0.7)            # the first codebook carries the music


class Codes:
    """The set that `tokenise.py` wrote, with its captions as token ids; batches come on `device`."""

    def __init__(self, work: Path, device: str = "cpu"):
        self.codes, records = read_codes(work)
        self.resident = torch.from_numpy(self.codes.astype(np.int16)).to(device)
        self.tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
        self.clips, offset = [], 0
        for record in records:
            record["offset"] = offset
            offset += record["frames"]
            record["ids"] = [e.ids for e in self.tokenizer.encode_batch(record["captions"])]
            self.clips.append(record)
        self.by_split = {s: [c for c in self.clips if c["split"] == s] for s in ("train", "valid")}

    def batch(self, clips: list, captions: list, starts: list | None = None, frames: int | None = None):
        """Codes [B, 4, T], text ids [B, L] and mask [B, L]; a caption of -1 means no text.

        `starts` are the first frames of crops `frames` long; without them whole clips of one length.
        """
        starts, frames = starts or [0] * len(clips), frames or clips[0]["frames"]
        firsts = [c["offset"] + start for c, start in zip(clips, starts)]
        codes = torch.stack([self.resident[first:first + frames] for first in firsts]).long()
        ids = [c["ids"][max(n, 0)] for c, n in zip(clips, captions)]
        text = np.full((len(ids), max(map(len, ids))), PAD_TEXT)
        mask = np.zeros_like(text)
        for row, (tokens, n) in enumerate(zip(ids, captions)):
            text[row, :len(tokens)] = tokens
            mask[row, :len(tokens)] = int(n >= 0)
        return codes.transpose(1, 2), *(torch.from_numpy(a).to(codes.device) for a in (text, mask))


def loss_of(model: LanguageModel, codes, text, mask, corrupted=None) -> torch.Tensor:
    """Cross entropy of each codebook, [K], in nats; `corrupted` [B, 1, 1] is the share of input tokens replaced."""
    entries = model.shape.codec.codebook_size
    ids, target = delayed(codes, entries)
    if corrupted is not None:
        wrong = (torch.rand(ids.shape, device=ids.device) < corrupted) & (ids < entries)
        ids = torch.where(wrong, torch.randint(entries, ids.shape, device=ids.device), ids)
    with mixed(codes.device):
        x = model.decoder(ids, model.condition(text, mask), mask, hidden=True)
        return torch.stack([F.cross_entropy(head(x).flatten(0, 1).float(), target[:, k].flatten(), ignore_index=-100)
                            for k, head in enumerate(model.decoder.lm_heads)])


@torch.no_grad()
def evaluate(model, data, clips) -> dict:
    """Held-out losses: per codebook with text; and the first codebook of short crops with ("told") and without.

    The gap between the last two says whether the text is listened to.
    """
    model.eval()
    rows, told, bare = [], [], []
    for first in range(0, len(clips), 8):
        part = clips[first:first + 8]
        rows.append(loss_of(model, *data.batch(part, [0] * len(part))))
        for start in (60, 260):
            crop = {"starts": [start] * len(part), "frames": 25}
            told.append(loss_of(model, *data.batch(part, [0] * len(part), **crop))[0])
            bare.append(loss_of(model, *data.batch(part, [-1] * len(part), **crop))[0])
    model.train()
    means = torch.stack(rows).mean(0).tolist()
    return {**{f"loss{k}": v for k, v in enumerate(means)},
            "told0": torch.stack(told).mean().item(), "untold0": torch.stack(bare).mean().item()}


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--adam-lr", type=float, default=2e-3)
    parser.add_argument("--text-lr", type=float, default=4e-4)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--batch-scale", type=int, default=1, help="clips in a batch, times this: 16 on a GPU")
    parser.add_argument("--threads", type=int, default=2)
    add_argument(parser)
    a = parser.parse_args()
    threads = Threads(a.threads)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    data, model = Codes(a.work, a.device), LanguageModel(Shape()).to(a.device)
    matrices = [p for n, p in model.named_parameters() if p.ndim > 1 and "layers" in n and "norm" not in n]
    ids = {id(p) for p in matrices}
    text = list(model.text_encoder.parameters())
    ids |= {id(p) for p in text}
    others = [p for p in model.parameters() if id(p) not in ids]
    groups = [{"params": others}, {"params": text, "lr": a.text_lr}]
    optimiser = Optimiser(matrices, groups, a.lr, a.adam_lr, a.weight_decay, betas=(0.9, 0.95))
    train = data.by_split["train"]
    lengths = [(frames, batch * a.batch_scale, share, [c for c in train if c["frames"] >= frames])
               for frames, batch, share in LENGTHS]
    lengths = [entry for entry in lengths if entry[3]]
    shares = np.array([share for _, _, share, _ in lengths])
    held_out = [c for c in data.by_split["valid"] if c["frames"] == 500][:24]

    spent, step, path = 0.0, 0, a.work / "lm.pt"
    if path.exists():
        saved = torch.load(path, weights_only=False, map_location=a.device)
        model.load_state_dict(saved["model"])
        if "optimiser" in saved:
            optimiser.load_state_dict(saved["optimiser"])
        spent, step = saved["spent"], saved["step"]
        rng = np.random.default_rng(step)
        print(f"going on from step {step}, {spent / 60:.1f} min", flush=True)
    log_path = a.work / "lm.csv"
    fresh = not log_path.exists()
    log = log_path.open("a", newline="")
    writer = csv.writer(log)
    begun, saved_at, judged_at, frames_seen = time.time() - spent, spent, spent, 0
    weights = torch.tensor(WEIGHTS, device=a.device)

    def record():
        nonlocal fresh
        figures = evaluate(model, data, held_out)
        if fresh:
            writer.writerow(["minutes", "step", *figures])
            fresh = False
        writer.writerow([f"{spent / 60:.2f}", step, *(f"{v:.4f}" for v in figures.values())])
        log.flush()
        print("held out", {k: round(v, 3) for k, v in figures.items()}, flush=True)
        replace(a.work / "lm.safetensors", lambda partial: save_file(model.published_state(), partial))

    while True:
        threads()
        spent = time.time() - begun
        progress = spent / (60 * a.minutes)
        if progress >= 1:
            break
        frames, batch, _, clips = lengths[rng.choice(len(lengths), p=shares / shares.sum())]
        picks = [clips[n] for n in rng.integers(len(clips), size=batch)]
        starts = [int(rng.integers(c["frames"] - frames + 1)) for c in picks]
        captions = [-1 if rng.random() < DROPPED else int(rng.integers(len(c["captions"]))) for c in picks]
        codes, words, mask = data.batch(picks, captions, starts, frames)
        many = torch.empty(batch, 1, 1, device=a.device).uniform_(*MANY)
        often = torch.rand(batch, 1, 1, device=a.device) < OFTEN
        corrupted = torch.where(often, many, FEW) if progress >= CORRUPTED_FROM else None
        losses = loss_of(model, codes, words, mask, corrupted)
        (losses * weights / weights.sum()).sum().backward()
        torch.nn.utils.clip_grad_norm_(others + text, 1.0)
        optimiser.step(clock_factor(progress, step, warm_up=30, decay_from=0.3))
        step += 1
        frames_seen += codes.shape[0] * codes.shape[2]
        if step % 20 == 0:
            print(f"{spent / 60:6.2f} min  step {step}  losses {[round(v, 2) for v in losses.tolist()]}"
                  f"  {frames_seen / (time.time() - begun):.0f} frames/s", flush=True)
        if spent - saved_at > 90:
            saved_at = spent
            if spent - judged_at > 60 * a.minutes / 8:
                judged_at = spent
                record()
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "spent": spent, "step": step}
            replace(path, lambda partial, state=state: torch.save(state, partial))
    record()


if __name__ == "__main__":
    main()
