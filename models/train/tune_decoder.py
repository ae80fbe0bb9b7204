"""Goes on with the codec's decoder alone, against its adversary; codes stay what they are.

    python tune_decoder.py --work target/train --minutes 20

Encoder and codebooks are frozen, so `tokenise.py` and the language model may run at the same time. The decoder no
longer has to help the encoder find good codes: here it learns to sound like music where the codes leave room, with
more weight on spectra than on samples. Checkpoints every minute to `decoder.pt` and goes on from it; writes
`codec.safetensors` anew (the untuned one is kept as `codec-untuned.safetensors`) and the curve `decoder.csv`.
"""

import argparse
import csv
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import losses
from codec import Codec
from data import RATE, Music
from discriminator import Discriminator, codec_losses, own_loss
from optim import Optimiser, clock_factor
from saving import replace
from shapes import Shape
from threads import Threads
from train_codec import WINDOW_TURNS, evaluate, split

WAVEFORM, CONVERGENCE, LOG_STFT, MEL = 0.5, 0.5, 0.8, 0.6
ADVERSARIAL, FEATURES = 0.06, 0.6
HEARD_FROM = 60  # steps in which the adversary learns before the decoder listens to it


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=64, help="latent frames (20 ms) a segment")
    parser.add_argument("--lr", type=float, default=4e-4)
    parser.add_argument("--adam-lr", type=float, default=3e-4)
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    threads = Threads(a.threads)
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    published, untuned, path = a.work / "codec.safetensors", a.work / "codec-untuned.safetensors", a.work / "decoder.pt"
    if not published.exists():
        raise SystemExit(f"{published} is missing: run train_codec.py first")
    if not untuned.exists():
        replace(untuned, lambda partial: shutil.copyfile(published, partial))
    music, codec = Music(a.work), Codec(Shape())
    codec.load_published(load_file(untuned))
    codec.encoder.requires_grad_(False)
    matrices, others = ([p for p in group if p.requires_grad] for group in split(codec))
    optimiser = Optimiser(matrices, others, a.lr, a.adam_lr, betas=(0.8, 0.95))
    adversary = Discriminator()
    adversary_optimiser = Optimiser([], list(adversary.parameters()), 0, 4e-4, betas=(0.5, 0.9))
    length = a.frames * codec.hop
    held_out = torch.stack([music.wave(c, 0, 4 * RATE) for c in music.valid[:32]])

    spent, step = 0.0, 0
    if path.exists():
        saved = torch.load(path, weights_only=False)
        codec.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        adversary.load_state_dict(saved["adversary"])
        adversary_optimiser.load_state_dict(saved["adversary_optimiser"])
        spent, step = saved["spent"], saved["step"]
        rng = np.random.default_rng(step)
        print(f"going on from step {step}, {spent / 60:.1f} min", flush=True)
    log_path = a.work / "decoder.csv"
    fresh = not log_path.exists()
    log = log_path.open("a", newline="")
    writer = csv.writer(log)
    begun, saved_at = time.time() - spent, spent

    def record():
        nonlocal fresh
        figures = evaluate(codec, held_out)
        if fresh:
            writer.writerow(["minutes", "step", *figures])
            fresh = False
        writer.writerow([f"{spent / 60:.2f}", step, *(f"{v:.4f}" for v in figures.values())])
        log.flush()
        print("held out", {k: round(v, 3) for k, v in figures.items()}, flush=True)
        replace(published, lambda partial: save_file(codec.published_state(), partial))

    if fresh:
        record()
    while True:
        threads()
        spent = time.time() - begun
        progress = spent / (60 * a.minutes)
        if progress >= 1:
            break
        x = music.segments(rng, a.batch, length)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            latent = codec.encode(x)
        with torch.no_grad():
            latent = codec.quantiser(latent.float(), False)[0]
        with torch.autocast("cpu", torch.bfloat16):
            y = codec.decode(latent)
        windows = WINDOW_TURNS[step % len(WINDOW_TURNS)]
        error = losses.waveform(x, y)
        convergence, log_error = losses.spectral(x, y, windows)
        loss = WAVEFORM * error + CONVERGENCE * convergence + LOG_STFT * log_error
        if 2048 in windows:
            loss = loss + len(WINDOW_TURNS) * MEL * losses.mel_distance(x, y)
        chosen = rng.choice(len(adversary.listeners), 2, replace=False)
        with torch.autocast("cpu", torch.bfloat16):
            real, fake = adversary(x, chosen), adversary(y.detach(), chosen)
        own_loss(real, fake).backward()
        adversary_optimiser.step(clock_factor(progress, step))
        if step >= HEARD_FROM:
            with torch.autocast("cpu", torch.bfloat16):
                with torch.no_grad():
                    real = adversary(x, chosen)
                fake = adversary(y, chosen)
            adversarial, features = codec_losses(real, fake)
            loss = loss + ADVERSARIAL * adversarial + FEATURES * features
        loss.backward()
        adversary.zero_grad(set_to_none=True)
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        optimiser.step(clock_factor(progress, step, decay_from=0.3))
        step += 1
        if step % 20 == 0:
            print(f"{spent / 60:6.2f} min  step {step}  error {error.item():.3f}  log STFT {log_error.item():.3f}"
                  f"  loss {loss.item():.3f}", flush=True)
        if spent - saved_at > 60:
            saved_at = spent
            record()
            state = {"model": codec.state_dict(), "optimiser": optimiser.state_dict(), "spent": spent, "step": step,
                     "adversary": adversary.state_dict(), "adversary_optimiser": adversary_optimiser.state_dict()}
            replace(path, lambda partial, state=state: torch.save(state, partial))
    record()


if __name__ == "__main__":
    main()
