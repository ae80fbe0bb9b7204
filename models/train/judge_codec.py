"""Do the judges hear the same instruments in decoded audio as in raw audio?

    TILLER_JUDGES=... python judge_codec.py --work target/train

For every claimed class: area under the ROC curve of the judge's own tag over held-out solo
clips (seeds no stage trains on), raw and decoded. `--font timgm` asks it of an unseen timbre.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

import losses
from judges.musicnn import Musicnn
from music.bank import TRAINING_FONTS, Bank
from music.mix import render
from music.pieces import Mix, compose
from tokenise import load_codec

CLASSES = {"flute": "flute", "violin": "violin", "piano": "piano", "drums": "drums", "acoustic guitar": "guitar", "cello": "cello"}
SEED = 20_000_000


def auc(positive: list, negative: list) -> float:
    """Chance that a positive scores above a negative."""
    p, n = np.array(positive)[:, None], np.array(negative)[None]
    return float(((p > n) + 0.5 * (p == n)).mean())


def solos(count: int, seconds: int, fonts, work: Path):
    """`count` solo clips with their lead instrument; every other one of a judged class."""
    banks, out, seed = [Bank(f, work / "banks") for f in fonts], [], SEED
    want = {lead: count // (2 * len(CLASSES)) for lead in CLASSES}
    others = count - sum(want.values())
    while any(want.values()) or others > 0:
        seed += 1
        piece = compose(seed, seconds, Mix(1.0, 0.0, 0.0))
        lead = piece.facts.lead
        if want.get(lead, 0) > 0:
            want[lead] -= 1
        elif lead not in want and others > 0:
            others -= 1
        else:
            continue
        out.append((lead, render(piece, banks[seed % len(banks)], seconds, seed)))
    return out


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--font", nargs="+", default=TRAINING_FONTS)
    a = parser.parse_args()
    codec, judge = load_codec(a.work), Musicnn()
    clips = solos(a.clips, 5, a.font, a.work)
    raw, decoded, quality = [], [], []
    for lead, wave in clips:
        x = torch.from_numpy(wave)[None, : len(wave) // codec.hop * codec.hop]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            latent = codec.encode(x)
        with torch.no_grad():
            latent = codec.quantiser(latent.float(), False)[0]
            with torch.autocast("cpu", torch.bfloat16):
                y = codec.decode(latent)
        quality.append((lead, losses.si_sdr(x, y).item(), losses.mel_distance(x, y).item()))
        raw.append(judge.tags(wave, 32_000))
        decoded.append(judge.tags(y[0].numpy(), 32_000))
    result = {"si_sdr": float(np.median([q[1] for q in quality])), "mel": float(np.mean([q[2] for q in quality]))}
    for lead, tag in CLASSES.items():
        row = {}
        for name, tags in (("raw", raw), ("decoded", decoded)):
            scores = [(clip[0] == lead, t[tag]) for clip, t in zip(clips, tags)]
            row[name] = round(auc([s for own, s in scores if own], [s for own, s in scores if not own]), 3)
        row["si_sdr"] = round(float(np.median([q[1] for q in quality if q[0] == lead])), 1)
        result[lead] = row
        print(f"{lead:16} {row}")
    print({k: round(v, 2) for k, v in result.items() if isinstance(v, float)})
    (a.work / f"judge_codec_{'_'.join(a.font)}.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
