"""Hears whether shipped vectors still work at the end of a longer take, pulling all the time and letting go (`--monitor fade`).

    python judge_holding.py --tiller target/release/tiller --bundle models/default --table logs/vectors.json

`judge_vectors.py` chose and reported on takes of four seconds. Here takes last twelve, of seeds that nothing was chosen on, and
the judges hear the last four: a push that suits a beginning may wear the music out. Goes into each row of the table as `held`.
"""

import tempfile
from pathlib import Path

import numpy as np
import soundfile

from judge_vectors import Ear, Setting, fit_meters, spread
from music.bank import TRAINING_FONTS, Bank
from report.listening import Listeners
from report.statistics import sign_flip
from report.validation import fit
from shipped import arguments, fill, source_of
from steered import Clips, distance

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
    a = arguments(__doc__)
    source = source_of(a.bundle)
    with Listeners(a.banks, a.work) as listeners, tempfile.TemporaryDirectory() as folder:
        judges = fit(listeners, 24)
        endings = {}
        for way, monitor in (("plain", None), ("always", None), ("fade", "fade")):
            scratch = Path(folder) / way
            scratch.mkdir()
            endings[way] = Endings(a.tiller, a.bundle, listeners, SECONDS, scratch, source, monitor=monitor)
        meters = fit_meters(endings["plain"], [Bank(f, a.banks) for f in TRAINING_FONTS])

        def found(concept: str, row: dict, vector: Path) -> dict:
            ear = Ear(concept, endings["plain"], judges, meters, row["prompts"])
            return held(ear, endings, row["prompts"][0], vector, Setting(row["site"], row["layers"], row["strength"]))

        fill(a, "held", found)


if __name__ == "__main__":
    main()
