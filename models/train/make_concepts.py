"""Renders a set of clips whose classes differ in one concept, for `tiller lab activations`.

    python make_concepts.py --set chords --out target/concepts/chords
    tiller lab activations --data target/concepts/chords --seconds 4 --out chords.safetensors
    tiller lab activations --data target/concepts/chords --seconds 4 --out roots.safetensors \\
        --layout syntheory --class-column root

Each class is a folder of WAV files (16 bits, 32 kHz, mono), and `info.csv` has a row for each file with all that is true
of it. The sets are described in `music/sets.py` and, for the two sides of a quality, in `concepts.py`; the same command makes the same files. The folder
appears when it is whole.
"""

import argparse
import csv
import shutil
from pathlib import Path
from random import Random

import soundfile

from concepts import QUALITY_SETS
from music.bank import FONTS, RATE, TRAINING_FONTS, Bank
from music.mix import render
from music.sets import SETS
from saving import told_when_full

ALL_SETS = SETS | QUALITY_SETS


def make(name: str, out: Path, banks: dict, count: int, seconds: float) -> int:
    """Writes the set to the folder `out`, `count` clips a class; returns how many clips it has."""
    if out.exists():
        raise SystemExit(f"{out} is already there: name another folder, or remove it")
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    rows, fonts = [], tuple(banks)
    with told_when_full(partial):
        for clip in ALL_SETS[name].clips(count, seconds):
            label = str(clip.labels[ALL_SETS[name].concept])
            file = Path(label) / f"{clip.number:04d}.wav"
            (partial / label).mkdir(exist_ok=True)
            font = Random(f"font {clip.seed}").choice(fonts)
            wave = render(clip.piece, banks[font], seconds, clip.seed)
            soundfile.write(partial / file, wave, RATE, subtype="PCM_16")
            rows.append({"file": file.as_posix(), **clip.labels, "bpm": clip.piece.facts.bpm, "font": font})
        with (partial / "info.csv").open("w", newline="") as table:
            writer = csv.DictWriter(table, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    partial.rename(out)
    return len(rows)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=ALL_SETS, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("target/train"), help="where banks/ is, or shall be")
    parser.add_argument("--clips", type=int, default=24, help="clips a class")
    parser.add_argument("--seconds", type=float, help="length of a clip; by default 4, and 8 for progressions")
    parser.add_argument("--fonts", nargs="+", choices=FONTS, default=TRAINING_FONTS, help="drawn for each clip")
    a = parser.parse_args()
    seconds = a.seconds or ALL_SETS[a.set].seconds
    if a.clips < 1 or not 1 <= seconds <= 30:
        raise SystemExit("a class needs a clip or more, and a clip 1 to 30 seconds")
    banks = {font: Bank(font, a.work / "banks") for font in a.fonts}
    count = make(a.set, a.out, banks, a.clips, seconds)
    print(f"{a.out}: {count} clips, {count * seconds / 60:.0f} minutes")


if __name__ == "__main__":
    main()
