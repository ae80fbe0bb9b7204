#!/usr/bin/env python3
"""Makes two tiny random classifiers and records what librosa and ONNX Runtime make of a clip.

All is under `data/judge` and committed, so only whoever changes it needs Python:

    pip install librosa numpy onnx onnxruntime
    python models/tests/record_judge.py
"""

import json
from pathlib import Path

import librosa
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

DATA = Path(__file__).parent / "data" / "judge"
RATE = 1_600
LABELS = ["flute", "drums", "pad"]


def clip(rng):
    """Half a second: tones that come and go, and noise."""
    t = np.arange(RATE // 2) / RATE
    tones = 0.4 * np.sin(2 * np.pi * 110 * t) * np.exp(-4 * t) + 0.3 * np.sin(2 * np.pi * (300 + 300 * t) * t)
    return np.round(tones + 0.05 * rng.normal(size=t.size), 5).astype(np.float32)


def save(name, nodes, weights, shape, out_shape):
    graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, out_shape)],
                              [numpy_helper.from_array(value, key) for key, value in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, DATA / f"{name}.onnx")


def mel(log, scale, norm, **more):
    return {"n_fft": 64, "hop": 32, "mels": 8, "scale": scale, "norm": norm, "log": log, "frames": 10,
            "hop_frames": 6, "layout": "time_mel", **more}


def described(name, graph_input, activation):
    return {"name": name, "graph": f"{name}.onnx", "sample_rate": RATE, "input": graph_input, "output": "y",
            "labels": LABELS, "activation": activation}


def spectrogram(audio, mel):
    s = librosa.feature.melspectrogram(
        y=audio, sr=RATE, n_fft=mel["n_fft"], hop_length=mel["hop"], n_mels=mel["mels"], fmin=mel.get("f_min", 0),
        fmax=mel.get("f_max"), htk=mel["scale"] == "htk", norm="slaney" if mel["norm"] == "slaney" else None)
    if mel["log"]:
        log = np.log10 if mel["log"]["base"] == "10" else np.log
        s = log(mel["log"]["scale"] * s + mel["log"]["offset"])
    return s.T.astype(np.float32)


def main():
    DATA.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    audio = clip(rng)
    musicnn = mel({"base": "10", "scale": 10_000.0, "offset": 1.0}, "slaney", "slaney")
    kinds = [musicnn, mel(None, "htk", "none", f_min=40.0, f_max=700.0),
             mel({"base": "e", "scale": 1.0, "offset": 1e-3}, "htk", "slaney")]

    w = (rng.normal(size=(80, 3)) * 0.3).astype(np.float32)
    save("mel", [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])],
         {"w": w}, ["N", 10, 8], ["N", 3])
    save("waveform", [helper.make_node("ReduceL2", ["x", "axis"], ["n"], keepdims=1),
                      helper.make_node("MatMul", ["n", "v"], ["y"])],
         {"axis": np.array([1], np.int64), "v": np.array([[0.3, -0.1, 0.2]], np.float32)}, [1, "S"], [1, 3])
    judges = {"mel": described("mel", {"mel": musicnn}, "sigmoid"),
              "waveform": described("waveform", "waveform", "softmax")}
    for name, description in judges.items():
        (DATA / f"{name}.json").write_text(json.dumps(description, indent=1) + "\n")

    run = lambda name, x: onnxruntime.InferenceSession(str(DATA / f"{name}.onnx")).run(["y"], {"x": x})[0]
    frames = spectrogram(audio, musicnn)
    patches = np.stack([frames[s:s + 10] for s in range(0, len(frames) - 9, 6)])
    logits = run("mel", patches)
    by_mel, by_logits = (1 / (1 + np.exp(-logits))).mean(0), 1 / (1 + np.exp(-logits.mean(0)))
    powers = np.exp(run("waveform", audio[None])[0])
    expected = {
        "audio": [float(f"{a:.5f}") for a in audio],
        "spectrograms": [{"description": described("mel", {"mel": kind}, "none"),
                          "frames": [[float(f"{x:.8g}") for x in row] for row in spectrogram(audio, kind)]} for kind in kinds],
        "mel": [float(p) for p in by_mel],
        "mel_logits": [float(p) for p in by_logits],
        "waveform": [float(p) for p in powers / powers.sum()],
    }
    (DATA / "expected.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
