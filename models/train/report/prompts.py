"""What is asked of the model, and what would be a right answer."""

from dataclasses import dataclass

from music.instruments import LEADS


@dataclass(frozen=True)
class Prompt:
    """`key` is (root, mode), C = 0; `bpm` is asked where a beat is; None: not asked, so not judged.

    Tempi lie between 78 and 138: there half and double the tempo are outside the tempo judge's range.
    """

    text: str
    instrument: str = ""
    style: str = ""
    drums: bool | None = None
    key: tuple | None = None
    bpm: int | None = None


PROMPTS = (
    *(Prompt(f"solo {lead}", instrument=lead, drums=False) for lead in LEADS),
    Prompt("drums, 100 bpm", instrument="drums", drums=True, bpm=100),
    Prompt("drum kit, rock, 126 bpm", drums=True, bpm=126),
    Prompt("solo piano melody in C major", drums=False, key=(0, "major")),
    Prompt("solo piano melody in A minor", drums=False, key=(9, "minor")),
    Prompt("solo flute melody in G major", drums=False, key=(7, "major")),
    Prompt("solo flute melody in E minor", drums=False, key=(4, "minor")),
    Prompt("solo organ chords in F major", drums=False, key=(5, "major")),
    Prompt("solo organ chords in D minor", drums=False, key=(2, "minor")),
    Prompt("rock, 132 bpm", style="rock", drums=True, bpm=132),
    Prompt("pop, 110 bpm", style="pop", drums=True, bpm=110),
    Prompt("folk, 96 bpm", style="folk", drums=True, bpm=96),
    Prompt("hip-hop, 88 bpm", style="hip-hop", drums=True, bpm=88),
    Prompt("house, 124 bpm", style="house", drums=True, bpm=124),
    Prompt("jazz, 120 bpm", style="jazz", drums=True, bpm=120),
    Prompt("orchestral", style="orchestral"),
    Prompt("flute with bass and drums, 104 bpm", drums=True, bpm=104),
)
