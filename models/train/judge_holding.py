"""Hears whether shipped vectors still work at the end of a longer take, pulling all the time and letting go (`--monitor fade`).

    python judge_holding.py --tiller target/release/tiller --bundle models/default --table logs/vectors.json

`judge_vectors.py` chose and reported on takes of four seconds. Here takes last twelve, of seeds that nothing was chosen on, and
the judges hear the last four: a push that suits a beginning may wear the music out. Goes into each row of the table as `held`.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from judge_vectors import Ear, Setting, fit_meters, spread
from music.bank import TRAINING_FONTS, Bank
from report.listening import Listeners
from report.statistics import sign_flip
from report.validation import fit
from steered import Clips, distance
from vectors_page import page

SECONDS, HEARD, SEEDS = 12, 4, range(3_000, 3_008)


class Endings(Clips):
    """Clips of which only the end is kept."""

    def __init__(self, *arguments, monitor: str | None = None):
        super().__init__(*arguments)
        self.monitor = ["--monitor", monitor] if monitor else []

    def steering(self, vector, setting):
        """With the monitor, where something is steered."""
        given = super().steering(vector, setting)
        return given + self.monitor if given else given

    def generate(self, jobs: list) -> list:
        """As ever, then cut."""
        groups = super().generate(jobs)
        for file in (file for group in groups for file in group):
            wave, rate = soundfile.read(file, dtype="float32")
            soundfile.write(file, wave[-HEARD * rate:], rate, subtype="FLOAT")
        return groups


def held(ear: Ear, endings: dict, prompt: str, vector: Path, setting: Setting) -> dict:
    """Probability among all, distance and share of broken clips at the ends of takes, by way of steering."""
    heard = {}
    for way, clips in endings.items():
        ear.clips = clips
        heard[way] = ear.hear_each([(prompt, SEEDS, vector if way != "plain" else None, setting if way != "plain" else None)])[0]
    own, plain = spread(heard["plain"].pictures), heard["plain"]
    found = {way: {"chance": round(float(h.chance.mean()), 3), "broken": round(float(h.broken.mean()), 3),
                   "distance": round(float(np.mean([distance(a, b) for a, b in zip(h.pictures, plain.pictures)])) / own, 3)}
             for way, h in heard.items()}
    for way in ("always", "fade"):
        found[way]["p"] = sign_flip(heard[way].chance - plain.chance)
    return found | {"prompt": prompt, "seeds": len(SEEDS)}


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
        endings = {}
        for way, monitor in (("plain", None), ("always", None), ("fade", "fade")):
            scratch = Path(folder) / way
            scratch.mkdir()
            endings[way] = Endings(a.tiller, a.bundle, listeners, SECONDS, scratch, source, monitor=monitor)
        meters = fit_meters(endings["plain"], [Bank(f, banks) for f in TRAINING_FONTS])
        for concept, row in table.items():
            if not row["works"] or "held" in row:
                continue
            ear = Ear(concept, endings["plain"], judges, meters, row["prompts"])
            vector = a.bundle / "vectors" / f"{concept.replace(' ', '-')}.safetensors"
            row["held"] = held(ear, endings, row["prompts"][0], vector, Setting(row["site"], row["layers"], row["strength"]))
            print(f"{concept:18} {row['held']}", flush=True)
            a.table.write_text(json.dumps(table, indent=1))
            a.page.write_text(page(table))


if __name__ == "__main__":
    main()
