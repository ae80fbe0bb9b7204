"""Scales, chords and progressions; pitches are MIDI notes, degrees count from 0."""

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}

# Four-bar progressions as scale degrees.
PROGRESSIONS = {
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 4, 0), (0, 3, 0, 4), (5, 3, 0, 4), (0, 1, 4, 0), (0, 2, 3, 4)),
    "minor": ((0, 5, 2, 6), (0, 3, 4, 0), (0, 6, 5, 6), (0, 5, 3, 4), (0, 3, 6, 2), (0, 2, 5, 4), (0, 0, 5, 4)),
}
JAZZ = {"major": ((1, 4, 0, 0), (0, 5, 1, 4), (3, 6, 2, 5)), "minor": ((1, 4, 0, 0), (0, 5, 1, 4), (0, 3, 1, 4))}


def degree_pitch(root: int, mode: str, degree: int) -> int:
    """The pitch of a scale degree (any integer) above `root`."""
    return root + 12 * (degree // 7) + SCALES[mode][degree % 7]


def chord_tones(root: int, mode: str, degree: int, seventh: bool = False) -> list:
    """Root-position chord on a degree; the dominant of a minor key has its leading tone."""
    tones = [degree_pitch(root, mode, degree + step) for step in ((0, 2, 4, 6) if seventh else (0, 2, 4))]
    if mode == "minor" and degree % 7 == 4:
        tones[1] += 1
    return tones


def into_range(pitch: int, low: int, high: int) -> int:
    """`pitch` moved by octaves into low..high (at least an octave wide)."""
    while pitch < low:
        pitch += 12
    while pitch > high:
        pitch -= 12
    return pitch


def voicing(tones: list, centre: int, low: int, high: int) -> list:
    """The tones near `centre`, in close position."""
    return sorted({into_range(into_range(t, centre - 6, centre + 6), low, high) for t in tones})
