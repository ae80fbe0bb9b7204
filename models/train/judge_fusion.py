"""Finds for each shipped vector the push that fuses: the strongest that leaves the source at least .6 of the pair.

    python judge_fusion.py --tiller target/release/tiller --bundle models/default --table logs/vectors.json

`judge_vectors.py` reports the push at which judges hear most of the concept, where little is left of the source; the paper's
tables ask for both. The strengths it tried are halved where the source is lost, on the seeds they were tried on, until the
source is near its share. What that strength does is then measured on seeds that nothing was chosen on, beside a random
direction of the same norm. Goes into each row of the table as `fusion`, and what was tried into its `dose`.
"""

import tempfile
from pathlib import Path

from judge_vectors import CONFIRM, DOSE, Ear, Setting, figures, fit_meters
from music.bank import TRAINING_FONTS, Bank
from report.listening import Listeners
from report.validation import fit
from shipped import arguments, fill, random_direction, source_of
from steered import Clips

SEEDS = range(4_000, 4_012)
LEAST_SOURCE = 0.6        # its probability in the pair
NEAR = 0.06               # as far above that the source is kept nearly as strongly as can be
MOST_HALVINGS = 6


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
        return {k: found[k] for k in DOSE}

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
    a = arguments(__doc__)
    source = source_of(a.bundle)
    with Listeners(a.banks, a.work) as listeners, tempfile.TemporaryDirectory() as folder:
        judges = fit(listeners, 24)
        clips = Clips(a.tiller, a.bundle, listeners, 4, Path(folder), source)
        meters = fit_meters(clips, [Bank(f, a.banks) for f in TRAINING_FONTS])
        control = Path(folder) / "random.safetensors"

        def found(concept: str, row: dict, vector: Path) -> dict | None:
            random_direction(vector, control, source)
            ear = Ear(concept, clips, judges, meters, row["prompts"])
            ear.sources = dict(zip(row["prompts"], row["sources"]))
            return fuse(ear, row, vector, control)

        fill(a, "fusion", found)


if __name__ == "__main__":
    main()
