"""The report's arithmetic and its judges, on made-up material with known answers."""

import ast
import struct
import sys
from pathlib import Path

import numpy as np

TRAIN = Path(__file__).parents[1]
sys.path.insert(0, str(TRAIN))
from judges.key import KeyJudge, in_key, pitch_classes  # noqa: E402
from judges.notes import note_count  # noqa: E402
from judges.probe import Probe, altered  # noqa: E402
from judges.tempo import compare, tempo  # noqa: E402
from judges.tf_checkpoint import MAGIC, variables  # noqa: E402
from report import clips, nearest  # noqa: E402
from report.codec import mel_distance, si_sdr, spectral_distance  # noqa: E402
from report.prompts import PROMPTS  # noqa: E402
from report.statistics import auc, figure, median, wilson  # noqa: E402
from report.targets import TARGETS, judged  # noqa: E402

RATE = 32_000


def test_area_under_the_curve_counts_ties_half():
    assert auc([2, 3], [0, 1]) == 1 and auc([0, 1], [2, 3]) == 0 and auc([1], [1]) == 0.5


def test_intervals_hold_the_value_and_shrink_with_more_clips():
    assert np.allclose(wilson(15, 20), (0.5313, 0.8881), atol=1e-4)
    few, many = figure([[1, 0, 1]]), figure([[1, 0, 1] * 20])
    assert few["value"] == many["value"] and few["interval"][0] < many["interval"][0] < few["value"]
    pooled = figure([[1, 1, 1, 1], [0, 0, 0, 0]])
    assert pooled["value"] == 0.5 and pooled["interval"] == [0.0, 1.0], "prompts differ more than seeds"
    assert figure([[], [0.5, 0.7]])["n"] == 2 and figure([])["value"] is None
    assert median([1, 2, 3, 4, 100])["value"] == 3


def test_probe_tells_classes_apart_that_differ_in_one_feature_of_many():
    rng = np.random.default_rng(0)
    labels = ["flute", "organ", "drums"] * 100
    features = rng.standard_normal((300, 40))
    features[:, 7] += 5 * np.array([("flute", "organ", "drums").index(label) for label in labels])
    probe = Probe(features[:150], labels[:150], ("flute", "organ", "drums"))
    scores = probe.scores(features[150:])
    assert (scores.argmax(1) == np.tile([0, 1, 2], 50)).mean() > 0.9
    assert np.allclose(np.exp(scores).sum(1), 1)


def test_altered_clips_are_the_same_for_a_seed_and_another_for_another():
    wave = np.sin(np.arange(RATE) / 20).astype(np.float32)
    assert np.array_equal(altered(wave, RATE, 3), altered(wave, RATE, 3))
    assert not np.array_equal(altered(wave, RATE, 3), altered(wave, RATE, 4))


def test_key_judge_learns_where_pieces_start():
    def activity(first, rest):
        keys = np.zeros((430, 88))
        keys[:138, [n - 21 for n in first]] = 1
        keys[138:, [n - 21 for n in rest]] = 1
        return keys
    scale = [60, 62, 64, 65, 67, 69, 71]
    pieces, keys = [], []
    for shift in range(12):
        for first, root, mode in (([60, 64, 67], 0, "major"), ([57, 60, 64], 9, "minor")):
            pieces.append(pitch_classes(activity([n + shift for n in first], [n + shift for n in scale])))
            keys.append(((root + shift) % 12, mode))
    judge = KeyJudge(np.array(pieces), keys)
    assert all(judge.hear(shares) == key for shares, key in zip(pieces, keys))
    assert in_key(pieces[0], 0, "major") > 0.999 and in_key(pieces[0], 6, "major") < 0.5


def test_notes_are_counted_where_they_start():
    starting = np.zeros((10, 88))
    starting[[0, 1, 5], 40] = 0.9
    starting[5, 44] = 0.9
    assert note_count(starting) == 3


def test_tempo_of_a_pulse_is_heard_to_a_hundredth():
    for bpm in (80, 97, 120, 136):
        wave, rng = np.zeros(6 * 16_000, np.float32), np.random.default_rng(1)
        for beat in np.arange(0, 6, 60 / bpm):
            start = int(beat * 16_000)
            burst = (rng.standard_normal(1_600) * np.exp(-np.arange(1_600) / 200))[:len(wave) - start]
            wave[start:start + len(burst)] += burst.astype(np.float32)
        heard = tempo(wave, 16_000)
        assert abs(heard / bpm - 1) < 0.01, (heard, bpm)
    assert tempo(np.zeros(6 * 16_000, np.float32), 16_000) is None
    assert [compare(h, 100) for h in (104, 201, 51, 80, None)] == ["right", "octave", "octave", "wrong", "wrong"]


def test_checkpoint_reader_reads_a_table_with_shared_prefixes():
    def entry(shared, rest, value):
        return bytes([shared, len(rest), len(value)]) + rest + value
    def block(entries):
        return b"".join(entries) + struct.pack("<II", 0, 1)
    def handle(offset, size):
        def varint(n):
            return bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7])
        return varint(offset) + varint(size)
    values = np.arange(6, dtype="<f4")
    shape = b"\x12\x08\x12\x02\x08\x02\x12\x02\x08\x02"  # field 2: dimensions 2 and 2
    data = block([entry(0, b"", b"\x08\x01"), entry(0, b"conv/bias", b"\x08\x01\x12\x04\x12\x02\x08\x02\x28\x08"),
                  entry(5, b"kernel", b"\x08\x01" + shape + b"\x20\x08\x28\x10"), entry(0, b"step", b"\x08\x09\x28\x08")])
    index = block([entry(0, b"z", handle(0, len(data)))])
    at = len(data) + 5
    footer = handle(0, 0) + handle(at, len(index))
    table = data + b"\0" * 5 + index + b"\0" * 5 + footer.ljust(40, b"\0") + struct.pack("<Q", MAGIC)
    import tempfile
    with tempfile.TemporaryDirectory() as name:
        Path(name, ".index").write_bytes(table)
        Path(name, ".data-00000-of-00001").write_bytes(values.tobytes())
        found = variables(f"{name}/")
    assert set(found) == {"conv/bias", "conv/kernel"}
    assert found["conv/bias"].tolist() == [0, 1] and found["conv/kernel"].tolist() == [[2, 3], [4, 5]]


def test_distances_are_zero_for_the_same_and_grow_with_noise():
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(RATE) / 20).astype(np.float32)
    near, far = (wave + a * rng.standard_normal(RATE).astype(np.float32) for a in (0.01, 0.3))
    assert si_sdr(wave, 0.5 * wave) == 100 and abs(si_sdr(wave, far) - 10 * np.log10(0.5 / 0.09)) < 0.3
    for distance in (mel_distance, spectral_distance):
        assert distance(wave, wave) == 0 < distance(wave, near) < distance(wave, far)


def test_nearest_finds_an_excerpt_and_no_stranger():
    rng = np.random.default_rng(0)
    training = [rng.random((80, nearest.KEYS)).astype(np.float16) for _ in range(5)]
    queries = [training[3][17:57], rng.random((40, nearest.KEYS)).astype(np.float16)]
    best = nearest.nearest(queries, training)
    assert best[0] > 0.999 and best[1] < 0.2
    assert nearest.similarities(queries)[0, 1] < 0.2


def test_training_clips_are_made_again_as_the_recipe_made_them():
    tree = ast.parse((TRAIN / "tokenise.py").read_text())
    seeds = next(node for node in tree.body if isinstance(node, ast.Assign) and "TRAIN_SEED" in ast.unparse(node.targets[0]))
    assert ast.literal_eval(seeds.value)[0] == nearest.TRAIN_SEED
    recipe = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "seconds_of")
    scope = {}
    exec(ast.unparse(recipe), scope)
    assert all(scope["seconds_of"](clip) == nearest.seconds_of(clip) for clip in range(12))


def test_held_out_sets_share_no_seed_with_each_other_or_with_training():
    sets = [{c.seed for c in clips.solos(base, 8) + clips.bands(base, 2) + clips.trios(base, 8)}
            for base in (clips.FIT, clips.TEST, clips.UNSEEN)]
    assert len(set.union(*sets)) == sum(map(len, sets)) and min(map(min, sets)) > 31_000_000
    assert {c.font for c in clips.solos(clips.UNSEEN, 2)} == {"timgm"}
    assert all(c.font != "timgm" for c in clips.solos(clips.TEST, 4))


def test_prompts_ask_only_for_what_can_be_judged():
    assert all(78 <= p.bpm <= 138 for p in PROMPTS if p.bpm)
    assert len({p.text for p in PROMPTS}) == len(PROMPTS)


def test_a_missed_target_is_a_miss():
    figures = {}
    for path, _, _ in TARGETS.values():
        at = figures
        for step in path[:-1]:
            at = at.setdefault(step, {})
        at[path[-1]] = {"value": 0.5, "interval": [0.4, 0.6], "n": 9}
    met = {row["name"]: row["met"] for row in judged(figures)}
    assert not met["mode"] and met["style, top 1 of the claimed"] and not met["clipping"]
    figures["adherence"]["mode"] = {"value": None, "interval": None}
    assert not any(row["met"] for row in judged(figures) if row["name"] == "mode"), "what was not measured is a miss"
