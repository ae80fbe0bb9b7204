"""Trains the codec by the clock: autoencoder first, then codebooks by k-means, then both.

    python train_codec.py --work target/train --minutes 40

Checkpoints every few minutes to `codec.pt` and goes on from it; without one, but with a `codec.safetensors`, it trains
that one on. Writes `codec.safetensors` and the curve `codec.csv` (held-out figures). The learning rate reaches zero when
the minutes are spent.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import losses
from codec import Codec
from data import RATE, Music
from device import add_argument, mixed
from discriminator import Discriminator, codec_losses, own_loss
from optim import Optimiser, clock_factor
from saving import replace
from shapes import Shape
from threads import Threads

QUANTISE_FROM = 0.12  # share of the time after which the codebooks come in
RAMP = 0.06           # share over which the spectral losses come in, after the first
SPECTRAL_FROM = 0.04
WINDOW_TURNS = ((2048,), (1024, 128), (512,))
ADVERSARIAL, FEATURES = 0.08, 0.6  # weights of the adversary's two losses


def split(model: torch.nn.Module):
    """Muon's matrices and everything else; LSTM matrices are marked as four gates."""
    matrices, others = [], []
    first, last = "encoder.layers.0.", f"decoder.layers.{len(model.decoder.layers) - 1}."
    for name, p in model.named_parameters():
        p.gates = "lstm" in name
        (matrices if p.ndim > 1 and not name.startswith((first, last)) else others).append(p)
    return matrices, others


@torch.no_grad()
def evaluate(codec: Codec, waves: torch.Tensor) -> dict:
    """Held-out figures for [B, N]."""
    codec.eval()
    with mixed(waves.device):
        latent = codec.encode(waves)
    latent, used = latent.float(), [0.0] * len(codec.quantiser.books)
    if codec.quantiser.ready:
        latent, _, codes = codec.quantiser(latent, False)
        used = [len(c.unique()) / codec.quantiser.books.shape[1] for c in codes.T]
    with mixed(waves.device):
        decoded = codec.decode(latent)
    codec.train()
    convergence, log_error, _ = losses.spectral(waves, decoded)
    return {"si_sdr": losses.si_sdr(waves, decoded).median().item(), "mel": losses.mel_distance(waves, decoded).item(),
            "convergence": convergence.item(), "log_stft": log_error.item(),
            "error": losses.waveform(waves, decoded).item(), **{f"used{q}": u for q, u in enumerate(used)}}


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--frames", type=int, default=64, help="latent frames (20 ms) a segment")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--adam-lr", type=float, default=1e-3)
    parser.add_argument("--adam-only", action="store_true")
    parser.add_argument("--mel", type=float, default=0.6, help="weight of the log-mel error")
    parser.add_argument("--adversary-from", type=float, default=1.0,
                        help="share of the time; at the usual 1 never, since in the hour of two cores it only harms")
    parser.add_argument("--threads", type=int, default=2)
    add_argument(parser)
    a = parser.parse_args()
    threads = Threads(a.threads)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    music, codec = Music(a.work, a.device), Codec(Shape()).on(a.device)
    matrices, others = split(codec)
    if a.adam_only:
        matrices, others = [], matrices + others
    optimiser = Optimiser(matrices, others, a.lr, a.adam_lr, betas=(0.9, 0.95))
    adversary = Discriminator().to(a.device)
    adversary_optimiser = Optimiser([], list(adversary.parameters()), 0, 4e-4, betas=(0.5, 0.9))
    length = a.frames * codec.hop
    held_out = torch.stack([music.wave(c, 0, 4 * RATE) for c in music.valid[:32]])

    spent, step, path = 0.0, 0, a.work / "codec.pt"
    if path.exists():
        saved = torch.load(path, weights_only=False, map_location=a.device)
        codec.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        vars(codec.quantiser).update(saved["quantiser"] | {"decay": codec.quantiser.decay})
        if "adversary" in saved:
            adversary.load_state_dict(saved["adversary"])
            adversary_optimiser.load_state_dict(saved["adversary_optimiser"])
        spent, step = saved["spent"], saved["step"]
        rng = np.random.default_rng(step)
        print(f"going on from step {step}, {spent / 60:.1f} min", flush=True)
    elif (a.work / "codec.safetensors").exists():
        codec.load_published(load_file(a.work / "codec.safetensors"))
        codec.on(a.device)
        print("training on from codec.safetensors", flush=True)
    log_path = a.work / "codec.csv"
    fresh = not log_path.exists()
    log = log_path.open("a", newline="")
    writer = csv.writer(log)
    begun, saved_at, running = time.time() - spent, spent, []

    def publish():
        replace(a.work / "codec.safetensors", lambda partial: save_file(codec.published_state(), partial))

    while True:
        threads()
        spent = time.time() - begun
        progress = spent / (60 * a.minutes)
        if progress >= 1:
            break
        if progress >= QUANTISE_FROM and not codec.quantiser.ready:
            with torch.no_grad():
                sample = [codec.encode(music.segments(rng, 16, 2 * length)) for _ in range(24)]
            codec.quantiser.start(torch.cat(sample).transpose(1, 2).flatten(0, 1).float())
            print("codebooks started by k-means", flush=True)
        x = music.segments(rng, a.batch, length)
        with mixed(a.device):
            latent = codec.encode(x)
        latent, commitment = latent.float(), torch.zeros((), device=a.device)
        if codec.quantiser.ready:
            latent, commitment, _ = codec.quantiser(latent, True)
        with mixed(a.device):
            y = codec.decode(latent)
        error = losses.waveform(x, y)
        ramp = 1.0 if codec.quantiser.ready else min(1.0, max(0.0, (progress - SPECTRAL_FROM) / RAMP))
        loss = error + 0.5 * commitment
        if ramp:
            # Spectra of every window cost as much as the codec itself: a step looks through one or two of them.
            windows = WINDOW_TURNS[step % len(WINDOW_TURNS)]
            convergence, log_error, mel_error = losses.spectral(x, y, windows)
            loss = loss + ramp * (0.6 * convergence + 0.5 * log_error + a.mel * mel_error)
        if progress >= a.adversary_from:
            half, chosen = slice(step % 2, None, 2), rng.choice(len(adversary.listeners), 2, replace=False)
            with mixed(a.device):
                real, fake = adversary(x[half], chosen), adversary(y[half].detach(), chosen)
            own_loss(real, fake).backward()
            adversary_optimiser.step(clock_factor(progress, step))
            with mixed(a.device):
                with torch.no_grad():
                    real = adversary(x[half], chosen)
                fake = adversary(y[half], chosen)
            adversarial, features = codec_losses(real, fake)
            rise = min(1.0, (progress - a.adversary_from) / RAMP)
            loss = loss + rise * (ADVERSARIAL * adversarial + FEATURES * features)
        loss.backward()
        adversary.zero_grad(set_to_none=True)
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        optimiser.step(clock_factor(progress, step) * (0.3 if codec.quantiser.ready else 1.0))
        running.append(error.detach())
        step += 1
        if step % 20 == 0:
            print(f"{spent / 60:6.2f} min  step {step}  error {torch.stack(running).mean():.3f}  loss {loss.item():.3f}"
                  f"  commitment {commitment.item():.3f}  {a.batch * length / RATE * step / spent:.0f} s/s", flush=True)
            running.clear()
        if spent - saved_at > min(150, 60 * a.minutes / 12):
            saved_at = spent
            figures = evaluate(codec, held_out)
            if fresh:
                writer.writerow(["minutes", "step", *figures])
                fresh = False
            writer.writerow([f"{spent / 60:.2f}", step, *(f"{v:.4f}" for v in figures.values())])
            log.flush()
            print("held out", {k: round(v, 3) for k, v in figures.items()}, flush=True)
            state = {"model": codec.state_dict(), "optimiser": optimiser.state_dict(),
                     "quantiser": vars(codec.quantiser), "spent": spent, "step": step,
                     "adversary": adversary.state_dict(), "adversary_optimiser": adversary_optimiser.state_dict()}
            replace(path, lambda partial, state=state: torch.save(state, partial))
            if codec.quantiser.ready:
                publish()
    if not codec.quantiser.ready:
        raise SystemExit("too few minutes: the codebooks were never started")
    publish()
    figures = evaluate(codec, held_out)
    writer.writerow([f"{spent / 60:.2f}", step, *(f"{v:.4f}" for v in figures.values())])
    print("final", {k: round(v, 3) for k, v in figures.items()}, flush=True)


if __name__ == "__main__":
    main()
