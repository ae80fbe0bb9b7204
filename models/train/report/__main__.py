"""Measures a bundle and writes the report: `model.md`, `model.json` and spectrograms.

    python -m report --tiller target/release/tiller --bundle models/default --out docs/report

`cargo xtask report model` does this with everything it needs. What was rendered, generated and heard is kept in `--work`
(about 1.5 GB), so an interrupted run goes on, and a run on another bundle does not listen to the held-out clips again.
"""

import argparse
import json
import os
import platform
import shlex
import sys
import time
from pathlib import Path

from saving import told_when_full

from . import codec, music, page, pictures, targets, validation
from .clips import SECONDS
from .listening import Listeners
from .product import Product
from .prompts import PROMPTS

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ("piano", "flute", "violin", "trumpet", "distorted guitar", "drums")
SHOWN = ("solo piano", "solo flute", "solo violin", "solo trumpet",
         "drums, 100 bpm", "rock, 132 bpm", "jazz, 120 bpm", "house, 124 bpm")


def arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiller", type=Path, default=ROOT / "target/release/tiller", help="the command line judged")
    parser.add_argument("--bundle", type=Path, default=ROOT / "models/default")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/report")
    parser.add_argument("--work", type=Path, default=ROOT / "target/report")
    parser.add_argument("--banks", type=Path, help="folder of the sample banks (default: in the work folder)")
    parser.add_argument("--seeds", type=int, default=20, help="clips of each prompt")
    parser.add_argument("--training-clips", type=int, default=5_000, help="that the model was trained on")
    parser.add_argument("--quick", action="store_true", help="few clips everywhere: to see that it works, not to be believed")
    parser.add_argument("--validate-only", action="store_true", help="print how good the judges are and stop")
    a = parser.parse_args()
    if a.seeds < 2:
        parser.error("--seeds must be 2 or more: the difference between seeds is measured too")
    return a


def main():
    """Command line to page."""
    a = arguments()
    a.work.mkdir(parents=True, exist_ok=True)
    with told_when_full(a.work):
        make(a)


def make(a: argparse.Namespace):
    """Everything, in order."""
    started = time.time()
    fitted, tested, seeds, training = (6, 4, min(a.seeds, 3), 100) if a.quick else (24, 12, a.seeds, a.training_clips)
    with Listeners(a.banks or a.work / "banks", a.work) as listeners:
        judges, table, heard = validation.validate(listeners, fitted, tested)
        table["claimed_count"] = len(judges.claimed["instruments"])
        if a.validate_only:
            print(page.judges(table))
            return
        product = Product(a.tiller, a.bundle)
        figures = {"judges": table, "codec": codec.measure(product, listeners, judges, heard, a.work)}
        generated, files = music.generated(product, listeners, PROMPTS, seeds, SECONDS, a.work)
        figures["adherence"] = music.adherence(PROMPTS, generated, judges)
        figures["music"] = music.qualities(PROMPTS, generated, judges, heard["seen"])
        raw = [before for before, _ in figures["codec"]["all"]]
        figures["recital"] = music.recital(listeners, files, raw, a.work, training, min(seeds, 5))
    figures["speed"] = product.speed()
    seen = figures["codec"]["seen"]
    survivors = [row["ratio"] >= 0.95 for what, claimed in judges.claimed.items()
                 for c, row in seen[what].items() if c in claimed]
    figures["codec"]["surviving"] = sum(survivors) / max(len(survivors), 1)
    figures["codec"]["least_used"] = min(book["used"] for book in figures["codec"]["codebooks"])
    figures["about"] = {"bundle": product.manifest["name"], "bundle_id": product.id, "seeds": seeds, "seconds": SECONDS,
                        "held_out": sum(len(clips) for clips, _, _ in heard.values()), "machine": machine(),
                        "command": command()}
    figures["targets"] = targets.judged(figures)
    write(a.out, figures, files)
    print(page.summary(figures["targets"]))
    print(f"{a.out / 'model.md'}, in {(time.time() - started) / 60:.1f} minutes")


def write(out: Path, figures: dict, files: list):
    """The page, the numbers and the pictures."""
    out.mkdir(parents=True, exist_ok=True)
    examples = figures["codec"].pop("examples")
    figures["codec"].pop("all")
    sides = enumerate(("raw", "decoded"))
    pictures.grid([(examples[c][n], f"{c}, {side}") for n, side in sides for c in EXAMPLES], len(EXAMPLES), out / "codec.png")
    texts = [p.text for p in PROMPTS]
    pictures.grid([(files[texts.index(text)][0], text) for text in SHOWN], 4, out / "prompts.png")
    (out / "model.md").write_text(page.write(figures, figures["about"]["command"]))
    (out / "model.json").write_text(json.dumps(figures, indent=1) + "\n")


def command() -> str:
    """How this was started, as a person would type it."""
    return os.environ.get("TILLER_REPORT_COMMAND") or shlex.join(["python", "-m", "report", *sys.argv[1:]])


def machine() -> str:
    """The processor, in words."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or "an unknown processor"
    return f"{os.cpu_count()} cores of {name}"


if __name__ == "__main__":
    main()
