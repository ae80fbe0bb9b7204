"""Makes the captioned training set: int16 audio at 32 kHz and one JSON line a clip.

    python make_music.py --work target/train

Clips are numbered; clip n is a function of n alone, so the same command makes the same set
and an interrupted run goes on where it stopped. The last `--held-out` clips are validation:
no training stage reads them. `music.npy` is [clips * 10 s] padded storage: a 30 s clip takes
three rows.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np

import workers
from music.bank import RATE, TRAINING_FONTS, Bank, build
from music.mix import render
from music.pieces import Mix, compose
from saving import reserve, told_when_full

ROW_SECONDS = 10


def rows_of(clip: int) -> int:
    """How many 10 s rows clip `clip` takes: every twelfth is 30 s long."""
    return 3 if clip % 12 == 11 else 1


_studio = ()  # audio, fonts with their banks and mix of this process


def _begin(work: Path, fonts: list, mix: Mix):
    global _studio
    audio = np.load(work / "music.npy", mmap_mode="r+")
    _studio = audio, [(font, Bank(font, work / "banks")) for font in fonts], mix


def _make(job: tuple) -> dict:
    (clip, row), (audio, banks, mix) = job, _studio
    count = rows_of(clip)
    piece = compose(clip, count * ROW_SECONDS, mix)
    font, bank = banks[clip * 7919 % 10 % len(banks)]
    wave = render(piece, bank, count * ROW_SECONDS, clip)
    audio[row:row + count] = np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16).reshape(count, -1)
    return {"clip": clip, "row": row, "rows": count, "caption": piece.caption, "font": font, **vars(piece.facts)}


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    parser.add_argument("--clips", type=int, default=3_000)
    parser.add_argument("--held-out", type=int, default=96)
    parser.add_argument("--solo", type=float, default=Mix.solo, help="share of solo pieces")
    parser.add_argument("--trio", type=float, default=Mix.trio, help="share of lead, bass and drums")
    parser.add_argument("--fonts", nargs="+", default=TRAINING_FONTS)
    workers.add_argument(parser)
    a = parser.parse_args()
    rows = sum(rows_of(c) for c in range(a.clips))
    need = rows * ROW_SECONDS * RATE * 2 + (1 << 30)
    a.work.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(a.work).free < need:
        raise SystemExit(f"{a.work} needs {need / 1e9:.1f} GB of free disk for the music")
    for font in a.fonts:
        build(font, a.work / "banks")
    print(f"banks ready; {a.clips} clips, {rows * ROW_SECONDS / 3600:.2f} hours", flush=True)

    audio_path, list_path = a.work / "music.npy", a.work / "music.jsonl"
    done = len(list_path.read_text().splitlines()) if list_path.exists() else 0
    shape = (rows, ROW_SECONDS * RATE)
    audio = np.lib.format.open_memmap(audio_path, "r+" if done else "w+", np.int16, None if done else shape)
    reserve(audio_path, audio_path.stat().st_size)
    if audio.shape != shape:
        raise SystemExit(f"{audio_path} holds another set; remove it and {list_path} to start again")
    with told_when_full(a.work), list_path.open("a") as out:
        row, jobs = sum(rows_of(c) for c in range(done)), []
        for clip in range(done, a.clips):
            jobs.append((clip, row))
            row += rows_of(clip)
        made = workers.run(a.workers, _begin, (a.work, a.fonts, Mix(a.solo, a.trio)), _make, jobs)
        for record in made:
            record["split"] = "valid" if record["clip"] >= a.clips - a.held_out else "train"
            out.write(json.dumps(record) + "\n")
            out.flush()
            if record["clip"] % 100 == 99:
                print(f"{record['clip'] + 1} clips", flush=True)
    audio.flush()


if __name__ == "__main__":
    main()
