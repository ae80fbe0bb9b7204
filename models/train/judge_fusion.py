"""Finds for each shipped vector the push that fuses: the strongest that leaves the source at least .6 of the pair.

    python judge_fusion.py --tiller target/release/tiller --bundle models/default --table logs/vectors.json

`judge_vectors.py` reports the push at which judges hear most of the concept, where little is left of the source; the paper's
tables ask for both. The strengths it tried are halved where the source is lost, on the seeds they were tried on, until the
source is near its share. What that strength does is then measured on seeds that nothing was chosen on, beside a random
direction of the same norm. Goes into each row of the table as `fusion`, and what was tried into its `dose`.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from judge_vectors import CONFIRM, Ear, Setting, figures, fit_meters
from music.bank import TRAINING_FONTS, Bank
from report.listening import Listeners
from report.validation import fit
from steered import Clips
from vectors_page import page

SEEDS = range(4_000, 4_012)
LEAST_SOURCE = 0.6        # its probability in the pair
NEAR = 0.06               # as far above that the source is kept nearly as strongly as can be
MOST_HALVINGS = 6
KEPT = ("after", "lift", "pair lift", "source", "distance")


def fusing(dose: dict, at) -> float | None:
    """The strongest push that leaves the source its share: between the strongest that does and the weakest that does not,
    `dose` is refined by `at(strength)`."""
    for _ in range(MOST_HALVINGS):
        kept = [s for s in dose if dose[s]["source"] >= LEAST_SOURCE]
        lost = [s for s in dose if dose[s]["source"] < LEAST_SOURCE]
        if not lost or any(dose[s]["source"] <= LEAST_SOURCE + NEAR for s in kept):
            break
        below, above = max([s for s in kept if s < min(lost)], default=0.0), min(lost)
        between = round((below + above) / 2, 4)
        dose[between] = at(between)
    kept = [s for s in dose if dose[s]["source"] >= LEAST_SOURCE]
    return max(kept, key=lambda s: dose[s]["pair lift"], default=None)


def fuse(ear: Ear, row: dict, vector: Path, control: Path) -> dict | None:
    """What the fusing strength does on fresh seeds. The strengths tried on the way go into the row's dose."""
    plain = ear.hear([(p, CONFIRM, None, None) for p in ear.prompts])

    def at(strength: float) -> dict:
        setting = Setting(row["site"], row["layers"], strength)
        heard = ear.hear([(p, CONFIRM, vector, setting) for p in ear.prompts])
        found = figures(ear, plain, heard, None, 0.0)
        print(f"  at {strength}: {found['source']} of the source", flush=True)
        return {k: found[k] for k in KEPT}

    dose = {float(s): d for s, d in row["dose"].items()}
    strength = fusing(dose, at)
    row["dose"] = {str(s): dose[s] for s in sorted(dose)}
    if strength is None:
        return None
    setting = Setting(row["site"], row["layers"], strength)
    jobs = {"plain": (None, None), "steered": (vector, setting), "random": (control, setting)}
    heard = {name: ear.hear([(p, SEEDS, file, where) for p in ear.prompts]) for name, (file, where) in jobs.items()}
    found = figures(ear, heard["plain"], heard["steered"], heard["random"], 0.0)
    return {"strength": strength, "chosen with": dose[strength]["source"], "seeds": len(SEEDS), **found}


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiller", type=Path, default=Path("target/release/tiller"))
    parser.add_argument("--bundle", type=Path, default=Path("models/default"))
    parser.add_argument("--table", type=Path, default=Path("logs/vectors.json"))
    parser.add_argument("--page", type=Path, default=Path("../../docs/report/vectors.md"))
    parser.add_argument("--work", type=Path, default=Path("target/report"), help="where the judges' own training is kept")
    parser.add_argument("--banks", type=Path, help="folder of the sample banks (default: in the work folder)")
    a = parser.parse_args()
    table = json.loads(a.table.read_text())
    source = json.loads((a.bundle / "bundle.json").read_text())["source"]["sha256"]
    banks = a.banks or a.work / "banks"
    with Listeners(banks, a.work) as listeners, tempfile.TemporaryDirectory() as folder:
        judges = fit(listeners, 24)
        clips = Clips(a.tiller, a.bundle, listeners, 4, Path(folder), source)
        meters = fit_meters(clips, [Bank(f, banks) for f in TRAINING_FONTS])
        for concept, row in table.items():
            if not row["works"] or "fusion" in row:
                continue
            vector = a.bundle / "vectors" / f"{concept.replace(' ', '-')}.safetensors"
            control, generator = Path(folder) / "random.safetensors", np.random.default_rng(3)
            shapes = {n: generator.standard_normal(v.shape).astype(np.float32) for n, v in load_file(vector).items()}
            save_file(shapes, control, metadata={"format": "tiller-vector/1", "concept": "random", "model": source})
            ear = Ear(concept, clips, judges, meters, row["prompts"])
            ear.sources = dict(zip(row["prompts"], row["sources"]))
            row["fusion"] = fuse(ear, row, vector, control)
            print(f"{concept:18} {row['fusion']}", flush=True)
            a.table.write_text(json.dumps(table, indent=1))
            a.page.write_text(page(table))


if __name__ == "__main__":
    main()
