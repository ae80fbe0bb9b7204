"""What is asked, in the paper's order."""

from dataclasses import dataclass

# Sets of `make_concepts.py` and what is known of their clips.
SETS = {"notes": ("pitch_class", "octave", "instrument"), "chords": ("chord_type", "root", "instrument"),
        "progressions": ("progression", "mode", "key"), "styles": ("style",), "instruments": ("instrument",)}
SECONDS = {"progressions": 8}   # elsewhere 4
POOLS = ("last", "mean")        # as in the paper, and as probes better
METHODS = ("dim", "mse", "bce")
SITES = ("residual", "attention")
LAYERS = "1-4"                  # of six: all but the first and the last
STRENGTHS = (0.1, 0.3)


@dataclass(frozen=True)
class Steering:
    """Leads from one class of a set to another, and asks a judge."""

    set: str
    label: str
    minus: str
    plus: str
    prompt: str
    naming: str       # the prompt that names the target
    judge: str        # file of `lab_judges.py`, without .json
    source: str       # its label of what the prompt asks for
    target: str
    methods: tuple = METHODS

    def name(self, method: str) -> str:
        """A folder's name."""
        return f"{self.set}-{self.minus}-to-{self.plus}-{method}".replace(" ", "-")


GENRES = (
    Steering("styles", "style", "house", "orchestral", "house, 124 bpm", "orchestral", "styles", "house", "orchestral"),
    Steering("styles", "style", "orchestral", "house", "orchestral", "house, 124 bpm", "styles", "orchestral", "house"),
    Steering("styles", "style", "house", "jazz", "house, 124 bpm", "jazz, 120 bpm", "MSD_musicnn", "electronic", "jazz", ("dim",)),
    Steering("styles", "style", "jazz", "house", "jazz, 120 bpm", "house, 124 bpm", "MSD_musicnn", "jazz", "electronic", ("dim",)),
)
INSTRUMENTS = tuple(
    Steering("instruments", "instrument", "flute", to, "solo flute", f"solo {to}", "instruments", "flute", to, ("dim",))
    for to in ("strings", "xylophone", "trumpet"))
HARMONY = (
    Steering("notes", "pitch_class", "F sharp", "C", "a slow melody", "a slow melody in C major", "pitch_class", "F sharp", "C", ("dim",)),
    Steering("chords", "chord_type", "major", "minor", "chords", "chords in a minor key", "mode", "major", "minor", ("dim",)),
    Steering("progressions", "mode", "major", "minor", "a slow melody", "a slow melody in a minor key", "mode", "major", "minor", ("dim",)),
)
