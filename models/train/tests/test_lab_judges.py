"""The composed graphs say what the judges they are made of say."""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).parents[1]))
import lab_judges  # noqa: E402
from judges.key import KeyJudge, pitch_classes  # noqa: E402
from music.studies import CHORDS  # noqa: E402

RNG = np.random.default_rng(4)


def model(opset: int, nodes: list, inputs: list, outputs: list, weights: dict) -> onnx.ModelProto:
    """A small graph."""
    value = lambda pair: helper.make_tensor_value_info(pair[0], TensorProto.FLOAT, pair[1])  # noqa: E731
    graph = helper.make_graph(nodes, "small", [value(i) for i in inputs], [value(o) for o in outputs],
                              [numpy_helper.from_array(w, name) for name, w in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(made: onnx.ModelProto, name: str, value: np.ndarray) -> list:
    """All outputs for one input."""
    return onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {name: value})


def tagger(weights: np.ndarray) -> onnx.ModelProto:
    """Tags from the mean of a window's bands."""
    nodes = [helper.make_node("ReduceMean", ["model/x:0", "time"], ["bands"], keepdims=0),
             helper.make_node("MatMul", ["bands", "w"], ["logits"]), helper.make_node("Sigmoid", ["logits"], ["model/y:0"])]
    return model(18, nodes, [("model/x:0", ["N", 187, 96])], [("model/y:0", ["N", weights.shape[1]])],
                 {"time": np.array([1]), "w": weights})


def test_a_head_is_linear_in_the_logits_of_both_taggers():
    weights = [RNG.normal(size=(96, n)).astype(np.float32) for n in (2, 3)]
    heads = {"a": {"labels": ["x", "y"], "weights": RNG.normal(size=(5, 2)).tolist(), "bias": [1, -1]},
             "b": {"labels": ["z"], "weights": RNG.normal(size=(5, 1)).tolist(), "bias": [0.5]}}
    made = lab_judges.probes_graph([tagger(w) for w in weights], heads)
    windows = RNG.normal(size=(4, 187, 96)).astype(np.float32)
    logits = np.concatenate([windows.mean(1) @ w for w in weights], 1)
    for found, head in zip(run(made, "model/x:0", windows), heads.values()):
        assert np.allclose(found, logits @ np.array(head["weights"]) + head["bias"], atol=1e-5)


def test_mode_pitch_classes_and_chord_are_those_of_the_notes():
    window, size = lab_judges.NOTES_WINDOW, 172 * 88
    nodes = [helper.make_node("Slice", ["notes", "from", "to", "axis"], ["part"]),
             helper.make_node("Reshape", ["part", "shape"], ["StatefulPartitionedCall:1"])]
    notes = model(15, nodes, [("notes", ["N", window, 1])], [("StatefulPartitionedCall:1", ["N", 172, 88])],
                  {"from": np.array([0]), "to": np.array([size]), "axis": np.array([1]), "shape": np.array([-1, 172, 88])})
    shares = RNG.dirichlet(np.ones(12), (40, 2)).astype(np.float32)
    judge = KeyJudge(shares, [(int(RNG.integers(12)), ("major", "minor")[n % 2]) for n in range(40)])
    made = lab_judges.notes_graph(notes, judge.weights)
    for seconds in (1.5, 2, 5):
        clip = RNG.random(int(seconds * lab_judges.NOTES_RATE)).astype(np.float32)
        padded = np.pad(clip, (0, -len(clip) % window)).reshape(-1, window)
        heard = pitch_classes(padded[:, :size].reshape(-1, 88))
        logits = KeyJudge._turned(heard[None])[0] @ judge.weights.T
        mode, pitch_class, chord = (output[0] for output in run(made, "waveform", clip[None]))
        assert np.allclose(mode, np.logaddexp.reduce(logits, 0), atol=1e-4)
        assert np.allclose(np.exp(pitch_class), heard[0], atol=1e-4)
        nearest = {kind: max(np.roll(heard[0], -root)[list(steps)].sum() / len(steps) ** 0.5 for root in range(12))
                   for kind, steps in CHORDS.items()}
        assert np.allclose(chord, lab_judges.SHARPNESS * np.array(list(nearest.values())) / np.linalg.norm(heard[0]), atol=1e-3)
        assert lab_judges.likelier(judge, heard) == ("major", "minor")[int(np.logaddexp.reduce(logits, 0).argmax())]
