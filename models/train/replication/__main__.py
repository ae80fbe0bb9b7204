"""Runs the paper's experiments on a bundle and writes the page and the numbers.

    python -m replication --tiller target/release/tiller --bundle models/default --judges target/judges

makes the sets, reads them, looks where concepts are, learns directions by three methods and lets judges hear what they do, in
about an hour on two cores. An interrupted run goes on. Every step is a `tiller lab` command, which the page lists.
"""

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from .experiments import GENRES, HARMONY, INSTRUMENTS, LAYERS, METHODS, POOLS, SECONDS, SETS, SITES, STRENGTHS
from .page import page

HERE = Path(__file__).parents[1]


class Lab:
    """`tiller lab` with a work folder; remembers the commands."""

    def __init__(self, tiller: Path, bundle: Path, work: Path, judges: Path, clips: int):
        self.tiller, self.work, self.judges, self.commands = tiller.resolve(), work, judges.resolve(), []
        self.environment = os.environ | {"TILLER_BUNDLE": str(bundle.resolve())}
        self.of = {"bundle": hashlib.sha256((bundle / "bundle.json").read_bytes()).hexdigest(), "clips": clips}

    def __call__(self, name: str, *arguments) -> dict:
        """The JSON of a command; kept as `name.json`, and taken from there the next time."""
        arguments = [str(argument) for argument in arguments]
        command = "tiller lab " + shlex.join(a.replace(str(self.judges), "JUDGES") for a in arguments)
        self.commands.append(command)
        kept, origin = self.work / f"{name}.json", self.of | {"command": command}
        if kept.exists():
            found = json.loads(kept.read_text())
            if found.get("origin") != origin:
                raise SystemExit(f"{kept} is of other settings or another bundle: name another folder with --work, or remove this one")
            return found["found"]
        print(command, flush=True)
        done = subprocess.run([self.tiller, "lab", *arguments, "--quiet", "--json"], cwd=self.work, env=self.environment,
                              stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"`{command}` did not finish; the same command goes on from here")
        found = json.loads(done.stdout)
        partial = kept.with_suffix(".partial")
        partial.write_text(json.dumps({"origin": origin, "found": found}))
        partial.rename(kept)
        return found


def make_sets(work: Path, banks: Path, clips: int):
    """Renders what is missing of the sets."""
    for name in SETS:
        if not (work / "sets" / name).exists():
            subprocess.run([sys.executable, "make_concepts.py", "--set", name, "--out", work / "sets" / name, "--work", banks,
                            "--clips", str(clips)], cwd=HERE, check=True)


def where(lab: Lab) -> list:
    """Clusters and probes of every label, at both token positions."""
    rows = []
    for name, labels in SETS.items():
        lab(f"activations-{name}", "activations", "--data", f"sets/{name}", "--layout", "syntheory", "--class-column",
            ",".join(labels), "--seconds", SECONDS.get(name, 4), "--pool", ",".join(POOLS), "--out", f"{name}.safetensors")
        for label in labels:
            for pool in POOLS:
                what = f"{name}-{label}-{pool}"
                source = ["--activations", f"{name}-{pool}.safetensors", "--label", label]
                clusters = lab(f"cluster-{what}", "cluster", *source, "--plot", f"cluster-{what}.svg")
                probes = lab(f"probe-{what}", "probe", *source, "--permutations", 50)
                rows.append({"set": name, "label": label, "pool": pool, "clusters": clusters, "probes": probes})
    return rows


def steer(lab: Lab, experiments: tuple, seeds: int) -> list:
    """Directions of each pair by each method, and what judges hear of them at both sites."""
    rows = []
    for e in experiments:
        for method in e.methods:
            name, file = e.name(method), f"{e.set}-mean.safetensors"
            learnt = lab(f"directions-{name}", "directions", "--activations", file, "--label", e.label, "--method", method,
                         "--plus", e.plus, "--minus", e.minus, "--out", f"{name}.safetensors")
            heard = lab(f"evaluate-{name}", "evaluate", "--vector", f"{name}.safetensors", "--prompt", e.prompt, "--target-prompt",
                        e.naming, "--judge", lab.judges / f"{e.judge}.json", "--source", e.source, "--target", e.target,
                        "--site", ",".join(SITES), "--layers", LAYERS, "--strengths", ",".join(map(str, STRENGTHS)),
                        "--seeds", seeds, "--seconds", 4, "--out", f"evaluate-{name}")
            rows.append({"set": e.set, "from": e.minus, "to": e.plus, "method": method, "judge": e.judge, "learnt": learnt, "heard": heard["report"]})
    return rows


def without_clips(found):
    """The figures without those of every clip, which stay in the work folder."""
    if isinstance(found, dict):
        return {key: without_clips(value) for key, value in found.items() if key != "clips" or not isinstance(value, list)}
    return [without_clips(value) for value in found] if isinstance(found, list) else found


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiller", type=Path, default=HERE / "../../target/release/tiller")
    parser.add_argument("--bundle", type=Path, default=HERE / "../default")
    parser.add_argument("--judges", type=Path, default=HERE / "../../target/judges", help="folder that lab_judges.py filled")
    parser.add_argument("--work", type=Path, default=HERE / "../../target/replication")
    parser.add_argument("--banks", type=Path, default=HERE / "../../target/train", help="folder with banks/, or where it shall be")
    parser.add_argument("--clips", type=int, default=32, help="clips a class")
    parser.add_argument("--seeds", type=int, default=6, help="clips of each kind that judges hear")
    parser.add_argument("--out", type=Path, default=HERE / "../../docs")
    a = parser.parse_args()
    if not (a.judges / "pitch_class.json").exists():
        raise SystemExit(f"{a.judges} lacks judges: run lab_judges.py --judges {a.judges}")
    a.work.mkdir(parents=True, exist_ok=True)
    lab = Lab(a.tiller, a.bundle, a.work.resolve(), a.judges, a.clips)
    make_sets(lab.work, a.banks.resolve(), a.clips)
    found = {"clips": a.clips, "seeds": a.seeds, "where": where(lab), "genres": steer(lab, GENRES, a.seeds),
             "instruments": steer(lab, INSTRUMENTS, a.seeds), "harmony": steer(lab, HARMONY, a.seeds)}
    found["commands"] = lab.commands
    pictures = a.out / "replication"
    pictures.mkdir(exist_ok=True)
    (a.out / "replication.md").write_text(page(found, lab.work, pictures))
    (pictures / "results.json").write_text(json.dumps(without_clips(found)))


if __name__ == "__main__":
    main()
