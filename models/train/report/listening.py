"""Listening to many clips, on two processes, once: what was heard is kept in the work folder until something changes.

A job is a held-out `Clip` or a WAV file. A kept result is named by a hash of what it depends on: the jobs, the recipe of the
music, the judges, and the modules here that render, listen and compare.
"""

import hashlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

from judges.key import pitch_classes
from judges.notes import Notes, note_count
from judges.probe import altered
from judges.tagger import Tagger
from judges.tempo import tempo
from music.bank import RATE
from saving import replace

from .clips import Clip, open_banks

PROCESSES = 2
FRAME = RATE // 50
SILENT, CLIPPED = 0.003, 0.999  # root mean square of a frame (-50 dB), and a sample's magnitude
_state = {}


def hear(wave: np.ndarray, tagger: Tagger, notes: Notes) -> dict:
    """Everything the judges say of one clip at RATE."""
    sounding, starting = notes.hear(wave, RATE)
    return {**hear_timbre(wave, tagger), "shares": pitch_classes(sounding),
            "notes": note_count(starting) * RATE / len(wave), "tempo": tempo(wave, RATE) or np.nan}


def hear_timbre(wave: np.ndarray, tagger: Tagger) -> dict:
    """What takes a third of the time: the taggers and the level."""
    frames = wave[:len(wave) // FRAME * FRAME].reshape(-1, FRAME)
    return {"tags": tagger.hear(wave, RATE), "silence": float((np.sqrt((frames ** 2).mean(1)) < SILENT).mean()),
            "clipping": float((np.abs(wave) >= CLIPPED).mean())}


def _start(banks: Path):
    _state.update(banks=open_banks(banks), tagger=Tagger(), notes=Notes())


def _listen(job) -> dict:
    wave = job.wave(_state["banks"]) if isinstance(job, Clip) else soundfile.read(job, dtype="float32")[0]
    return hear(wave, _state["tagger"], _state["notes"])


def _listen_timbre(file: str) -> dict:
    return hear_timbre(soundfile.read(file, dtype="float32")[0], _state["tagger"])


def _listen_altered(clip: Clip) -> dict:
    wave = altered(clip.wave(_state["banks"]), RATE, clip.seed)
    return {"tags": _state["tagger"].hear(wave, RATE)}


def _apply(job):
    function, argument = job
    return function(argument, _state["banks"])


def save(path: Path, arrays: dict):
    """An `.npz` file that is whole or not there."""
    def write(partial: Path):
        with partial.open("wb") as file:
            np.savez(file, **arrays)
    replace(path, write)


def sources() -> str:
    """A hash of the code that decides what is played and heard."""
    here = Path(__file__).parent
    paths = [*(here.parent / "music").glob("*.py"), *(here.parent / "judges").glob("*.py")]
    digest = hashlib.sha256()
    for path in sorted(paths) + [here / name for name in ("clips.py", "listening.py", "nearest.py")]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Listeners:
    """Two processes with the judges loaded. Use as a context."""

    def __init__(self, banks: Path, work: Path):
        # Here first, so that what is missing is said once, and two processes do not build the same bank.
        open_banks(banks), Notes()
        self.labels = Tagger().labels
        self.work, self.sources = work, sources()
        self.pool = ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn"), _start, (banks,))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pool.shutdown(cancel_futures=True)

    def _map(self, function, jobs: list) -> list:
        return list(self.pool.map(function, jobs, chunksize=4))

    def _kept(self, name: str, key: str, make) -> dict:
        path = self.work / f"{name}-{hashlib.sha256((self.sources + key).encode()).hexdigest()[:16]}.npz"
        if path.exists():
            return dict(np.load(path))
        rows = make()
        result = {field: np.array([row[field] for row in rows]) for field in rows[0]}
        save(path, result)
        return result

    def listen(self, name: str, jobs: list, key: str = "") -> dict:
        """What is heard in each job, as arrays by field. `key` names what the jobs' files depend on."""
        print(f"listening to {len(jobs)} clips: {name}", flush=True)
        return self._kept(name, key + repr(jobs), lambda: self._map(_listen, jobs))

    def listen_timbre(self, files: list) -> dict:
        """What the taggers hear in WAV files, not kept."""
        rows = self._map(_listen_timbre, files)
        return {field: np.array([row[field] for row in rows]) for field in rows[0]}

    def listen_altered(self, name: str, clips: list) -> dict:
        """The tags of the clips' altered versions."""
        print(f"listening to {len(clips)} altered clips: {name}", flush=True)
        return self._kept(name, repr(clips), lambda: self._map(_listen_altered, clips))

    def each(self, function, arguments: list) -> list:
        """`function(argument, banks)` of every argument, in order."""
        return self._map(_apply, [(function, argument) for argument in arguments])
