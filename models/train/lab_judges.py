"""Judges for `tiller lab judge` and `tiller lab evaluate`: ONNX classifiers, each with the JSON file that describes it.

    python lab_judges.py [--judges target/judges]

fetches the listeners of `judges/` from PyPI and writes beside them

- `MTT_musicnn.json`, `MSD_musicnn.json`: musicnn's own 50 tags each;
- `instruments.json`, `styles.json`, `drums.json`: linear discriminants (`judges/probe`) on the logits of both taggers, as
  one graph, `musicnn_probes.onnx`;
- `mode.json`, `pitch_class.json`, `chords.json`: from the notes that basic-pitch hears, as one graph, `basic_pitch_heads.onnx`:
  major or minor (`judges/key`), how long each of the twelve pitch classes sounds, and which type of chord this is likest.

Nothing of YAMNet is in them, whose licence is not stated. The discriminants' weights are in `judges/probes.json`. To fit them
again, on the report's clips (it needs the sound fonts; what the report has heard is taken from its work folder):

    python lab_judges.py --fit [--work target/report] [--banks DIR]

They have only those labels that they tell apart in clips they were not fitted on, in the unseen font too.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from judges import folder
from judges.fetch import MUSICNN, fetch
from judges.key import MODES, SOUNDING, START_FRAMES
from judges.musicnn import HOP, RATE, WINDOW
from judges.notes import RATE as NOTES_RATE
from judges.notes import WINDOW as NOTES_WINDOW
from music.studies import CHORDS, ROOTS

PROBES = Path(__file__).parent / "judges/probes.json"
MEL = {"n_fft": 512, "hop": 256, "mels": 96, "scale": "slaney", "norm": "slaney",
       "log": {"base": "10", "scale": 10_000, "offset": 1}, "frames": WINDOW, "hop_frames": HOP, "layout": "time_mel"}
# Where the shares of both parts' pitch classes [2, 12] are as seen from each of the twelve roots: [12, 24].
TURNED = np.array([[12 * part + (step + root) % 12 for part in (0, 1) for step in range(12)] for root in range(12)])
# The tones of every type of chord on every root, each of length 1: [12, types x 12].
TEMPLATES = np.stack([np.roll(np.isin(np.arange(12), steps), root) / len(steps) ** 0.5
                      for steps in CHORDS.values() for root in range(12)], 1)
SHARPNESS = 20.0  # of the cosines of pitch classes and chords: .05 apart are one to 2.7
CLEAREST = float(np.log((1 - 1e-6) / 1e-6))  # what judges/musicnn clips logits at


def tagger(name: str, labels: list) -> dict:
    """What a tagger as it was published hears and tells."""
    return {"name": name.replace("_", " "), "graph": f"{name}.onnx", "sample_rate": RATE, "input": {"mel": MEL},
            "input_name": "model/x:0", "output": "model/y:0", "activation": "none", "average": "logits", "labels": labels}


def probe(name: str, labels: list) -> dict:
    """What one output of the taggers' discriminants hears and tells. Its logits are linear in theirs: so are the means."""
    return {"name": f"{name} by musicnn", "graph": "musicnn_probes.onnx", "sample_rate": RATE, "input": {"mel": MEL},
            "output": name, "activation": "softmax", "average": "logits", "labels": labels}


def notes_head(what: str, output: str, labels: list) -> dict:
    """What one output of the graph that stands on basic-pitch hears and tells."""
    return {"name": f"{what} by basic-pitch", "graph": "basic_pitch_heads.onnx", "sample_rate": NOTES_RATE, "input": "waveform",
            "output": output, "activation": "softmax", "labels": labels}


class _Nodes:
    """Nodes and weights in the order they are used."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def __call__(self, op: str, *inputs, outputs: list | None = None, **attributes) -> str:
        inputs = [one if isinstance(one, str) else self._weight(one) for one in inputs]
        outputs = outputs or [f"probe/{op}_{len(self.nodes)}"]
        self.nodes.append(helper.make_node(op, inputs, outputs, **attributes))
        return outputs[0]

    def _weight(self, value) -> str:
        name = f"probe/weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def model(self, name: str, inputs: list, outputs: list, of: onnx.ModelProto) -> onnx.ModelProto:
        """A checked model in the versions of the one it stands on."""
        value = lambda pair: helper.make_tensor_value_info(pair[0], TensorProto.FLOAT, pair[1])  # noqa: E731
        graph = helper.make_graph(self.nodes, name, [value(i) for i in inputs], [value(o) for o in outputs], self.weights)
        model = helper.make_model(graph, opset_imports=of.opset_import, ir_version=of.ir_version)
        onnx.checker.check_model(model)
        return model


def probes_graph(taggers: list, heads: dict) -> onnx.ModelProto:
    """Both taggers on one input; their logits, and an output of logits [N, labels] for each head."""
    make, logits = _Nodes(), []
    for number, model in enumerate(taggers):
        own = compose.add_prefix(model, f"{number}/", rename_inputs=False)
        *nodes, last = own.graph.node
        assert last.op_type == "Sigmoid", "musicnn ends in a sigmoid"
        make.nodes += nodes
        make.weights += own.graph.initializer
        logits.append(make("Clip", last.input[0], np.float32(-CLEAREST), np.float32(CLEAREST)))
    logits = make("Concat", *logits, axis=1)
    for name, head in heads.items():
        make("Gemm", logits, np.array(head["weights"], np.float32), np.array(head["bias"], np.float32), outputs=[name])
    inputs = [("model/x:0", ["N", WINDOW, MEL["mels"]])]
    return make.model("musicnn_probes", inputs, [(name, ["N", len(head["labels"])]) for name, head in heads.items()], taggers[0])


def notes_graph(notes: onnx.ModelProto, weights: np.ndarray) -> onnx.ModelProto:
    """A clip [1, samples] in; logits out of the modes (`judges/notes`, `judges/key.pitch_classes` and `KeyJudge`, whose
    chances of the twelve roots are added up), of the pitch classes (their share of what sounds) and of the types of chord
    (the cosine with the tones of the likest chord of the type)."""
    make = _Nodes()
    samples = make("Slice", make("Shape", "waveform"), np.array([1]), np.array([2]))
    windows = make("Div", make("Add", samples, np.array([NOTES_WINDOW - 1])), np.array([NOTES_WINDOW]))
    rest = make("Sub", make("Mul", windows, np.array([NOTES_WINDOW])), samples)
    padded = make("Pad", "waveform", make("Concat", np.zeros(3, np.int64), rest, axis=0))
    make("Reshape", padded, np.array([-1, NOTES_WINDOW, 1]), outputs=[notes.graph.input[0].name])
    make.nodes += notes.graph.node
    make.weights += notes.graph.initializer
    sounding = make("Reshape", "StatefulPartitionedCall:1", np.array([-1, 88]))
    heard = make("Cast", make("Greater", sounding, np.float32(SOUNDING)), to=TensorProto.FLOAT)
    sounding = make("Mul", sounding, heard)
    start = make("Slice", sounding, np.array([0]), np.array([START_FRAMES]), np.array([0]))
    keys = make("Concat", *(make("ReduceSum", part, np.array([0])) for part in (sounding, start)), axis=0)
    shares = make("MatMul", keys, np.eye(12, dtype=np.float32)[(np.arange(88) + 9) % 12])
    shares = make("Div", shares, make("Add", make("ReduceSum", shares, np.array([1])), np.float32(1e-6)))
    turned = make("Gather", make("Reshape", shares, np.array([24])), TURNED)
    logits = make("MatMul", turned, np.array(weights, np.float32).T)
    make("ReduceLogSumExp", logits, axes=[0], outputs=["mode"])
    whole = make("Slice", shares, np.array([0]), np.array([1]), np.array([0]))
    make("Log", make("Add", whole, np.float32(1e-6)), outputs=["pitch_class"])
    length = make("Sqrt", make("ReduceSum", make("Mul", whole, whole), np.array([1])))
    cosines = make("MatMul", make("Div", whole, make("Add", length, np.float32(1e-6))), TEMPLATES.astype(np.float32))
    likest = make("ReduceMax", make("Reshape", cosines, np.array([1, len(CHORDS), 12])), axes=[2], keepdims=0)
    make("Mul", likest, np.float32(SHARPNESS), outputs=["chord"])
    outputs = [("mode", [1, len(MODES)]), ("pitch_class", [1, 12]), ("chord", [1, len(CHORDS)])]
    return make.model("basic_pitch_heads", [("waveform", [1, "samples"])], outputs, notes)


def write(judges: Path):
    """Graphs and descriptions, beside the listeners they stand on."""
    fitted = json.loads(PROBES.read_text())
    labels = json.loads((judges / "labels.json").read_text())
    described = {name: tagger(name, labels[name]) for name in MUSICNN}
    taggers = [onnx.load(judges / f"{name}.onnx") for name in MUSICNN]
    onnx.save(probes_graph(taggers, fitted["heads"]), judges / "musicnn_probes.onnx")
    described |= {name: probe(name, head["labels"]) for name, head in fitted["heads"].items()}
    onnx.save(notes_graph(onnx.load(judges / "nmp.onnx"), np.array(fitted["mode"])), judges / "basic_pitch_heads.onnx")
    described |= {"mode": notes_head("mode", "mode", list(MODES)), "pitch_class": notes_head("pitch class", "pitch_class", list(ROOTS)),
                  "chords": notes_head("type of chord", "chord", list(CHORDS))}
    for name, description in described.items():
        (judges / f"{name}.json").write_text(json.dumps(description, indent=1) + "\n")
    print(f"in {judges}: " + ", ".join(f"{name}.json" for name in described))


def fit(work: Path, banks: Path) -> dict:
    """The discriminants as they go into `probes.json`, with what they are worth in other clips."""
    from report import validation as v  # what only fitting needs
    from report.listening import Listeners

    work.mkdir(parents=True, exist_ok=True)
    with Listeners(banks, work) as listeners:
        clips = v.clip_set(v.FIT, 24)
        facts, raw = v.facts_of(clips), listeners.listen("fit", clips)
        tags = np.stack([raw["tags"], listeners.listen_altered("fit-altered", clips)["tags"]])
        tested = {name: v.clip_set(base, 12) for name, base in v.SETS.items()}
        heard = {name: listeners.listen(name, clips) for name, clips in tested.items()}
        columns = [n for n, label in enumerate(listeners.labels) if not label.startswith("yamnet")]
    kinds = {"instruments": ("solo", v.INSTRUMENTS), "styles": ("band", v.STYLES)}
    heads, worth = {}, {}
    for what, (kind, classes) in kinds.items():
        rows, labels = v.of_kind(clips, kind)
        fitted = v.Probe(tags[:, rows][:, :, columns].reshape(2 * len(rows), -1), labels * 2, classes)
        figures = {}
        for name, clips_of in tested.items():
            rows, labels = v.of_kind(clips_of, kind)
            figures[name] = v.per_class(fitted, heard[name]["tags"][rows][:, columns], labels)
        claimed = [c for c in classes if all(figures[s][c]["auc"] >= v.LEAST_AUC and figures[s][c]["hits"] >= v.LEAST_HITS
                                             for s in tested)]
        heads[what] = head(fitted, claimed, claimed)
        worth[what] = {c: {s: [round(figures[s][c][f], 3) for f in ("auc", "hits")] for s in tested} for c in claimed}
    drums = v.Probe(tags[:, :, columns].reshape(2 * len(clips), -1), [f.drums for f in facts] * 2, (False, True))
    heads["drums"] = head(drums, [False, True], ["no drums", "drums"])
    pitched = v.tonal(clips)
    key = v.KeyJudge(raw["shares"][pitched], [v.key_of(facts[n]) for n in pitched])
    worth |= {"drums": {}, "mode": {}}
    for name, clips_of in tested.items():
        facts = v.facts_of(clips_of)
        present, scores = np.array([f.drums for f in facts]), drums.scores(heard[name]["tags"][:, columns])
        worth["drums"][name] = [round(float(v.auc(scores[present, 1], scores[~present, 1])), 3),
                                round(float(((scores[:, 1] > scores[:, 0]) == present).mean()), 3)]
        pitched = v.tonal(clips_of)
        hits = [likelier(key, heard[name]["shares"][n]) == facts[n].mode for n in pitched]
        worth["mode"][name] = [None, round(float(np.mean(hits)), 3)]
    return {"worth": worth, "heads": heads, "mode": rounded(key.weights)}


def likelier(key, shares: np.ndarray) -> str:
    """The mode whose chances, of all roots together, are the greater."""
    logits = shares.reshape(24)[TURNED] @ key.weights.T
    return MODES[int(np.logaddexp.reduce(logits, 0).argmax())]


def head(fitted, classes: list, labels: list) -> dict:
    """A discriminant with its standardisation folded in, for some of its classes."""
    picked = [fitted.classes.index(c) for c in classes]
    weights = fitted.weights[:, picked] / fitted.deviation[:, None]
    return {"labels": labels, "weights": rounded(weights), "bias": rounded(fitted.bias[picked] - fitted.mean @ weights)}


def rounded(values: np.ndarray) -> list:
    """Seven digits, which is what single precision has."""
    return np.vectorize(lambda value: float(f"{value:.7g}"))(values).tolist()


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judges", type=Path, default=Path(os.environ.get("TILLER_JUDGES") or folder.DEFAULT))
    parser.add_argument("--fit", action="store_true", help="fit the discriminants again")
    parser.add_argument("--work", type=Path, default=folder.DEFAULT.parent / "report", help="what the report has heard")
    parser.add_argument("--banks", type=Path, help="folder of the sample banks (default: in the work folder)")
    a = parser.parse_args()
    os.environ["TILLER_JUDGES"] = str(a.judges)
    fetch(a.judges)
    if a.fit:
        PROBES.write_text(json.dumps(fit(a.work, a.banks or a.work / "banks")).replace("], [", "],\n [") + "\n")
    write(a.judges)


if __name__ == "__main__":
    main()
