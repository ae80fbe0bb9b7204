"""A sample bank: every note of every instrument rendered once per sound font.

Mixing from the bank in numpy is hundreds of times faster than real time, which is what lets
the whole training set be made in minutes. One `.npy` a font: float16 [notes, samples], with an
index from (sound, key, velocity) to the row. Drums are the sound named "drums".
"""

import json
from pathlib import Path

import numpy as np

from .fluid import Fluid
from .instruments import DRUMS, INSTRUMENTS

RATE = 32_000
NOTE_SECONDS = 3.0
VELOCITIES = (72, 112)

# name -> (candidate paths, Debian package, licence); "timgm" is held out of training.
FONTS = {
    "fluid": (("/usr/share/sounds/sf2/FluidR3_GM.sf2",), "fluid-soundfont-gm", "MIT"),
    "musescore": (("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3", "/usr/share/sounds/sf3/MuseScore_General.sf3"),
                  "musescore-general-soundfont-small", "MIT"),
    "timgm": (("/usr/share/sounds/sf2/TimGM6mb.sf2",), "timgm6mb-soundfont", "GPL-2"),
}
TRAINING_FONTS = ("fluid", "musescore")


def find_font(name: str) -> str:
    """The path of a sound font, or a sentence saying how to get it."""
    paths, package, _ = FONTS[name]
    for path in paths:
        if Path(path).exists():
            return path
    raise SystemExit(f"the sound font {paths[0]} is missing: apt install {package}")


def sounds() -> list:
    """Every (sound, key, velocity) of a bank, in the order of its rows."""
    rows = [(i.name, key, v) for i in INSTRUMENTS.values() for key in range(i.low, i.high + 1) for v in VELOCITIES]
    return rows + [("drums", key, v) for key in DRUMS.values() for v in VELOCITIES]


def build(font: str, folder: Path) -> Path:
    """Renders the bank of one font unless it is already there."""
    folder.mkdir(parents=True, exist_ok=True)
    path, index = folder / f"{font}.npy", folder / f"{font}.json"
    rows = sounds()
    if index.exists() and json.loads(index.read_text()) == [list(r) for r in rows]:
        return path
    synth, length = Fluid(find_font(font), RATE), int(RATE * NOTE_SECONDS)
    bank = np.lib.format.open_memmap(path, "w+", np.float16, (len(rows), length))
    for row, (sound, key, velocity) in enumerate(rows):
        drum = sound == "drums"
        bank[row] = synth.note(0 if drum else INSTRUMENTS[sound].program, key, velocity, length, drum)
    bank.flush()
    index.write_text(json.dumps(rows))
    return path


class Bank:
    """Opens a built bank; `note` returns a float32 copy of one held note."""

    def __init__(self, font: str, folder: Path):
        self.data = np.load(build(font, folder), mmap_mode="r")
        self.rows = {row: n for n, row in enumerate(sounds())}
        self.levels = {}
        for sound in list(INSTRUMENTS) + ["drums"]:
            picks = [n for (s, _, v), n in self.rows.items() if s == sound and v == VELOCITIES[-1]][::4]
            loud = [np.sqrt(np.mean(np.square(self.data[n, :RATE // 2], dtype=np.float32))) for n in picks]
            self.levels[sound] = max(float(np.mean(loud)), 1e-4)

    def note(self, sound: str, key: int, velocity: int, samples: int) -> np.ndarray:
        """Up to `samples` samples of a note, sounds levelled against each other."""
        layer = min(VELOCITIES, key=lambda v: abs(v - velocity))
        row = self.data[self.rows[sound, key, layer], :samples].astype(np.float32)
        return row * (velocity / layer * 0.1 / self.levels[sound])
