"""The pairs that define concepts, and the ears and figures that judge them."""

import numpy as np
import pytest

from concepts import QUALITIES, QUALITY_SETS, pairs
from judges.meter import Meter, brightness
from music.bank import RATE
from report.statistics import sign_flip


@pytest.mark.parametrize("concept", QUALITIES)
def test_the_sides_of_a_pair_share_a_seed_and_differ_in_the_quality(concept):
    for seed, *sides in pairs(concept, 6, 4):
        having, lacking = (piece.facts for piece in sides)
        assert (having.lead, having.kind) == (lacking.lead, lacking.kind), seed
        for facts, force in zip((having, lacking), QUALITIES[concept]):
            assert all(getattr(facts, name) == value for name, value in force.items())
    clips = list(QUALITY_SETS[concept].clips(3, 4))
    assert [clip.labels["side"] for clip in clips] == [concept, QUALITIES[concept][2]] * 3


def test_busy_music_has_more_notes_of_the_same_instrument():
    found = list(pairs("busy", 20, 4))
    assert all(busy.tracks[0][0] == calm.tracks[0][0] for _, busy, calm in found)
    played = [sum(len(piece.tracks[0][2]) / piece.bars * piece.facts.bpm for piece in side) for side in list(zip(*found))[1:]]
    assert played[0] > 2 * played[1]


def test_a_higher_tone_is_brighter_by_octaves_and_silence_is_dark():
    time = np.arange(2 * RATE) / RATE
    low, high = (brightness(np.sin(2 * np.pi * f * time).astype(np.float32), RATE) for f in (440, 1_760))
    assert high - low == pytest.approx(2, abs=0.15)
    assert brightness(np.zeros(RATE, np.float32), RATE) == 0


def test_a_meter_is_in_doubt_in_the_middle_and_sure_at_the_ends():
    rng = np.random.default_rng(0)
    meter = Meter(rng.normal(5, 0.5, 40), rng.normal(3, 0.5, 40))
    below, middle, above = meter.chance([3, 4, 5])
    assert below < 0.05 and above > 0.95 and abs(middle - 0.5) < 0.2


def test_signs_flipped_at_random_equal_the_exact_count():
    # Of 2 ** 8 signs only one gives a mean as large as eight equal differences'.
    assert sign_flip(np.ones(8)) == pytest.approx(1 / 256, abs=2e-3)
    assert sign_flip([1, -1, 1, -1]) > 0.5
