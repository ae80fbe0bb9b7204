"""A concept set is alike in all but its concept, and says the truth about each clip."""

import csv
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1]))
from make_concepts import make  # noqa: E402
from music.bank import RATE  # noqa: E402
from music.instruments import DRUMS, INSTRUMENTS  # noqa: E402
from music.sets import MELODIC, SETS, octaves  # noqa: E402
from music.studies import CHORDS, PROGRESSIONS, ROOTS  # noqa: E402
from music.theory import chord_tones  # noqa: E402


def clips_of(name, count=24):
    return list(SETS[name].clips(count, SETS[name].seconds))


def bars_of(clip):
    """The pitch classes that sound in each bar."""
    bars = defaultdict(set)
    for note in clip.piece.tracks[0][2]:
        bars[int(note.start // 4)].add(note.key % 12)
    return [bars[bar] for bar in sorted(bars)]


@pytest.mark.parametrize("name", SETS)
def test_every_class_has_as_many_clips_of_notes_that_the_banks_have(name):
    clips = clips_of(name)
    numbers = defaultdict(list)
    for clip in clips:
        numbers[clip.labels[SETS[name].concept]].append(clip.number)
        for sound, _, notes in clip.piece.tracks:
            i = INSTRUMENTS.get(sound)
            assert notes and all(n.key in DRUMS.values() if sound == "drums" else i.low <= n.key <= i.high for n in notes)
    assert len(numbers) > 1 and all(found == list(range(24)) for found in numbers.values())
    assert len({clip.seed for clip in clips}) == len(clips)
    assert clips == clips_of(name)


@pytest.mark.parametrize("name", ["notes", "chords", "progressions"])
def test_the_other_columns_are_drawn_alike_in_every_class(name):
    found = defaultdict(list)
    for clip in clips_of(name, 240):
        for column in {"instrument", "root", "key"} & set(clip.labels):
            found[column, clip.labels[SETS[name].concept]].append(clip.labels[column])
    assert len({tuple(draws) for draws in found.values()}) == len(found)
    for (column, _), draws in found.items():
        shares = Counter(draws)
        assert len(shares) in (len(ROOTS), len(MELODIC), len(INSTRUMENTS))
        assert max(shares.values()) < 2.5 * len(draws) / len(shares)


def test_notes_are_of_their_pitch_class_and_octave():
    for clip in clips_of("notes", 60):
        key = 12 * (clip.labels["octave"] + 1) + ROOTS.index(clip.labels["pitch_class"])
        assert {note.key for note in clip.piece.tracks[0][2]} == {key}
    assert octaves("xylophone") == (4, 5, 6) and octaves("bass") == (2,)


def test_chords_are_of_their_type_and_root():
    for clip in clips_of("chords"):
        root = ROOTS.index(clip.labels["root"])
        tones = {(root + step) % 12 for step in CHORDS[clip.labels["chord_type"]]}
        assert all(bar == tones for bar in bars_of(clip))


def test_progressions_go_through_all_chords_of_their_key_within_the_clip():
    for clip in clips_of("progressions"):
        labels, facts = clip.labels, clip.piece.facts
        degrees = PROGRESSIONS[labels["mode"]][labels["progression"]]
        key = ROOTS.index(labels["key"])
        expected = [{tone % 12 for tone in chord_tones(key, labels["mode"], degree)} for degree in degrees]
        assert bars_of(clip)[:4] == expected
        assert 4 * 240 / facts.bpm <= SETS["progressions"].seconds


class Tone:
    """A bank of bare sines."""

    def note(self, sound, key, velocity, samples):
        return np.sin(2 * np.pi * 440 * 2 ** ((key - 69) / 12) * np.arange(samples) / RATE).astype(np.float32) * 0.1


def test_the_folder_holds_a_file_for_each_row_and_is_never_mixed_with_another(tmp_path):
    out = tmp_path / "notes"
    (tmp_path / "notes.partial" / "left over").mkdir(parents=True)
    assert make("notes", out, {"a": Tone(), "b": Tone()}, 2, 1.0) == 24
    rows = list(csv.DictReader((out / "info.csv").open()))
    assert sorted(row["file"] for row in rows) == sorted(p.relative_to(out).as_posix() for p in out.rglob("*.wav"))
    assert [p.name for p in tmp_path.iterdir()] == ["notes"] and not (out / "left over").exists()
    for row in rows:
        assert row["file"].split("/")[0] == row["pitch_class"]
        wave, rate = soundfile.read(out / row["file"])
        loudest = np.argmax(np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 8 * len(wave)))) * rate / 8 / len(wave)
        heard = round(69 + 12 * np.log2(loudest / 440))
        assert (rate, len(wave)) == (RATE, RATE)
        assert heard == 12 * (int(row["octave"]) + 1) + ROOTS.index(row["pitch_class"])
    with pytest.raises(SystemExit, match="already there"):
        make("notes", out, {"a": Tone()}, 1, 1.0)


def test_instruments_play_melodies_and_styles_are_their_bands():
    for clip in clips_of("instruments"):
        assert (clip.piece.facts.lead, clip.piece.facts.texture) == (clip.labels["instrument"], "melody")
    assert all(clip.piece.facts.style == clip.labels["style"] for clip in clips_of("styles"))
