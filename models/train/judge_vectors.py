"""Finds at which layers and strength each steering vector works, and keeps only those that judges hear work.

    python judge_vectors.py --tiller target/release/tiller --bundle models/default --vectors target/train/vectors

Everything goes through the product's own command line. A vector's figure is the judge's probability of its concept, normalised
over concept and source as the paper's tables are, steered minus unsteered on the same seeds. Layers and strength are chosen on
some seeds; what is reported is measured on others, beside random directions of the same norm. A vector whose lift is not above
zero and above theirs by more than the 95 % intervals is moved to `unshipped/`; the others get layers, strength and the evidence
written into their files. Prints a table and writes `vectors.json`.
"""

import argparse
import json
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from report.clips import INSTRUMENTS
from report.listening import Listeners
from report.validation import Judges, fit

# Instruments that judges recognise in this model's clips. With a source that they never hear, such as its piano, the
# probability of a concept against it is 1 before anything is steered.
PROMPTS = ("solo pad", "solo strings", "solo flute")
SEARCH, CONFIRM = range(1_000, 1_006), range(2_000, 2_010)
STRENGTHS = (0.25, 0.5)
RANDOM = 1           # directions
LEAST_LEVEL = 0.02   # root mean square under which a clip counts as broken
MOST_SILENCE = 0.15  # share of silent frames, likewise


class Steered:
    """Clips of a prompt, plain and steered, and the probability of a concept in each."""

    def __init__(self, tiller: Path, bundle: Path, listeners: Listeners, judges: Judges, seconds: float, scratch: Path):
        self.command = [str(tiller), "generate", "--quiet", "--threads", "1", "--bundle", str(bundle), "--seconds", f"{seconds:g}"]
        self.listeners, self.judges, self.scratch, self.made = listeners, judges, scratch, 0

    def generate(self, jobs: list) -> list:
        """Files of each (prompt, seeds, steering arguments), two processes at a time."""
        def one(job):
            (prompt, seeds, extra), place = job
            subprocess.run([*self.command, "--prompt", prompt, "--seed", str(seeds[0]), "--count", str(len(seeds)),
                            "--out", str(place), *extra], check=True, stdout=subprocess.DEVNULL)
            return [place / f"{seed}.wav" for seed in seeds]
        places = []
        for _ in jobs:
            self.made += 1
            places.append(self.scratch / str(self.made))
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(one, zip(jobs, places)))

    def hear(self, concept: str, jobs: list) -> list:
        """For each job the probability of the concept [seeds] and the share of broken clips."""
        files = self.generate(jobs)
        flat = [file for group in files for file in group]
        heard = self.listeners.listen(f"steered-{concept}", flat, key=str(self.scratch))
        out, first = [], 0
        for (prompt, _, _), group in zip(jobs, files):
            rows = {field: heard[field][first:first + len(group)] for field in heard}
            first += len(group)
            out.append((self.chance(concept, prompt, rows), float((rows["silence"] > MOST_SILENCE).mean())))
        return out

    def chance(self, concept: str, prompt: str, rows: dict) -> np.ndarray:
        """Probability of the concept, over concept and source."""
        if concept == "drums":
            return np.exp(self.judges.drums.scores(rows["tags"])[:, 1])
        if concept == "minor":
            return np.array([float(self.judges.key.hear(shares)[1] == "minor") for shares in rows["shares"]])
        scores, source = self.judges.instruments.scores(rows["tags"]), prompt.removeprefix("solo ")
        pair = scores[:, [INSTRUMENTS.index(concept), INSTRUMENTS.index(source)]]
        return 1 / (1 + np.exp(np.clip(pair[:, 1] - pair[:, 0], -60, 60)))


def interval(values: np.ndarray) -> float:
    """Half the width of the mean's 95 % interval."""
    return float(1.96 * values.std(ddof=1) / len(values) ** 0.5)


def layer_choices(layers: int) -> list:
    """Single layers but the first and last, and those together."""
    return [str(n) for n in range(1, layers - 1)] + [f"1-{layers - 2}"]


def steering(file: Path, layers: str, strength: float) -> list:
    """The command line's arguments."""
    return ["--steer", f"{file}:{strength}", "--steer-layers", layers]


def judge(ear: Steered, concept: str, file: Path, controls: list, layers: int) -> dict:
    """The best setting on the search seeds, and its figures on the others."""
    prompts = [p for p in PROMPTS if p != f"solo {concept}"][:2]
    settings = [(l, s) for l in layer_choices(layers) for s in STRENGTHS]
    plain = ear.hear(concept, [(prompts[0], SEARCH, [])])[0][0]
    tried = ear.hear(concept, [(prompts[0], SEARCH, steering(file, *setting)) for setting in settings])
    lifts = [float((chance - plain).mean()) if broken <= 0.25 else -1.0 for chance, broken in tried]
    best = settings[int(np.argmax(lifts))]
    jobs = [(p, CONFIRM, extra) for p in prompts
            for extra in ([], steering(file, *best), *(steering(c, *best) for c in controls))]
    heard, width = ear.hear(concept, jobs), 2 + len(controls)
    lift, random = [], []
    for n in range(len(prompts)):
        plain, steered, *others = (chance for chance, _ in heard[n * width:(n + 1) * width])
        lift.append(steered - plain)
        random += [other - plain for other in others]
    lift, random = np.concatenate(lift), np.concatenate(random)
    gap, noise = lift.mean() - random.mean(), (interval(lift) ** 2 + interval(random) ** 2) ** 0.5
    return {"layers": best[0], "strength": best[1], "lift": round(float(lift.mean()), 3), "interval": round(interval(lift), 3),
            "random": round(float(random.mean()), 3), "random interval": round(interval(random), 3),
            "broken": heard[1][1], "works": bool(gap > noise and lift.mean() > interval(lift)),
            "dose": {f"{l} at {s}": round(v, 3) for (l, s), v in zip(settings, lifts)}}


def indices(layers: str) -> list:
    """Layer numbers of a command-line choice."""
    first, _, last = layers.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiller", type=Path, default=Path("target/release/tiller"))
    parser.add_argument("--bundle", type=Path, default=Path("models/default"))
    parser.add_argument("--vectors", type=Path, default=Path("target/train/vectors"))
    parser.add_argument("--work", type=Path, default=Path("target/report"), help="where the judges' own training is kept")
    parser.add_argument("--banks", type=Path, help="folder of the sample banks (default: in the work folder)")
    parser.add_argument("--seconds", type=float, default=4)
    a = parser.parse_args()
    files = sorted(a.vectors.glob("*.safetensors"))
    if not files:
        raise SystemExit(f"{a.vectors} holds no vectors: run learn_vectors.py first")
    manifest = json.loads((a.bundle / "bundle.json").read_text())
    layers, source = manifest["architecture"]["layers"], manifest["source"]["sha256"]
    generator, table = torch.Generator().manual_seed(3), {}
    a.work.mkdir(parents=True, exist_ok=True)
    with Listeners(a.banks or a.work / "banks", a.work) as listeners, tempfile.TemporaryDirectory() as folder:
        ear = Steered(a.tiller, a.bundle, listeners, fit(listeners, 24), a.seconds, Path(folder))
        shapes, controls = load_file(files[0]), []
        for n in range(RANDOM):
            controls.append(Path(folder) / f"random-{n}.safetensors")
            save_file({name: torch.randn(v.shape, generator=generator) for name, v in shapes.items()}, controls[-1],
                      metadata={"format": "tiller-vector/1", "concept": "random"})
        for file in files:
            with safe_open(file, "pt") as opened:
                metadata = opened.metadata()
            concept = metadata["concept"]
            row = table[concept] = judge(ear, concept, file, controls, layers)
            print(f"{concept:18} {({k: v for k, v in row.items() if k != 'dose'})}", flush=True)
            metadata |= {"model": source, "layers": json.dumps(indices(row["layers"])), "strength": f"{row['strength']:g}",
                         "evidence": json.dumps({k: row[k] for k in ("lift", "interval", "random", "random interval")})}
            tensors = load_file(file)
            save_file(tensors, file, metadata=metadata)
            if not row["works"]:
                (a.vectors / "unshipped").mkdir(exist_ok=True)
                file.rename(a.vectors / "unshipped" / file.name)
    (a.vectors / "vectors.json").write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
