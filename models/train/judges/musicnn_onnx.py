"""musicnn's published TensorFlow checkpoints as ONNX: the network of Pons & Serra (2019), written down once more.

Log-mel windows `model/x:0` [N, 187, 96] become tag probabilities `model/y:0` [N, 50]. Batch normalisation comes *after*
each activation, and its moving averages are folded into a scale and a shift.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .tf_checkpoint import variables

EPSILON = 1e-3  # TensorFlow's batch normalisation
WINDOW, BANDS = 187, 96


class _Graph:
    """Nodes and weights in the order they are used; layers are numbered as TensorFlow numbers them."""

    def __init__(self, weights: dict):
        self.weights, self.nodes, self.constants = weights, [], []
        self.counts = {}

    def node(self, op: str, *inputs, **attributes) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def constant(self, value) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _next(self, layer: str) -> str:
        count = self.counts.get(layer, 0)
        self.counts[layer] = count + 1
        return f"{layer}{f'_{count}' if count else ''}/"

    def norm(self, x: str, shape: tuple) -> str:
        prefix = self._next("batch_normalization")
        gamma, beta, mean, variance = (self.weights[prefix + part] for part in
                                       ("gamma", "beta", "moving_mean", "moving_variance"))
        scale = (gamma / np.sqrt(variance + EPSILON)).astype(np.float32)
        shift = (beta - mean * scale).astype(np.float32)
        scaled = self.node("Mul", x, self.constant(scale.reshape(shape)))
        return self.node("Add", scaled, self.constant(shift.reshape(shape)))

    def convolution(self, x: str, before: int, after: int) -> str:
        """Padded in time only, then activated and normalised: [N, C, T, F]."""
        prefix = self._next("conv2d")
        kernel = self.weights[prefix + "kernel"].transpose(3, 2, 0, 1)
        y = self.node("Conv", x, self.constant(kernel), self.constant(self.weights[prefix + "bias"]),
                      pads=[before, 0, after, 0])
        return self.norm(self.node("Relu", y), (1, -1, 1, 1))

    def dense(self, x: str) -> str:
        prefix = self._next("dense")
        return self.node("Gemm", x, self.constant(self.weights[prefix + "kernel"]),
                         self.constant(self.weights[prefix + "bias"]))


def network(weights: dict) -> onnx.ModelProto:
    """The network with the given variables."""
    g = _Graph(weights)
    x = g.norm(g.node("Unsqueeze", "model/x:0", g.constant(np.array([1], np.int64))), (1, 1, 1, 1))
    front = []
    for before, after in ((3, 3), (3, 3), (63, 64), (31, 32), (15, 16)):
        y = g.convolution(x, before, after)
        front.append(g.node("ReduceMax", y, g.constant(np.array([3], np.int64)), keepdims=0))   # [N, C, T]
    y = g.node("Transpose", g.node("Concat", *front, axis=1), perm=[0, 2, 1])
    y = g.node("Unsqueeze", y, g.constant(np.array([1], np.int64)))                              # [N, 1, T, C]
    maps = [y]
    for block in range(3):
        y = g.node("Transpose", g.convolution(maps[-1], 3, 3), perm=[0, 3, 2, 1])
        maps.append(g.node("Add", y, maps[-1]) if block else y)
    features = g.node("Squeeze", g.node("Concat", *maps, axis=3), g.constant(np.array([1], np.int64)))
    time = g.constant(np.array([1], np.int64))
    pools = [g.node("Unsqueeze", g.node(pool, features, time, keepdims=0), g.constant(np.array([2], np.int64)))
             for pool in ("ReduceMax", "ReduceMean")]
    y = g.norm(g.node("Flatten", g.node("Concat", *pools, axis=2)), (1, -1))
    y = g.norm(g.node("Relu", g.dense(y)), (1, -1))
    logits = g.dense(y)
    g.nodes.append(helper.make_node("Sigmoid", [logits], ["model/y:0"]))
    classes = weights["dense_1/bias"].size
    graph = helper.make_graph(
        g.nodes, "musicnn",
        [helper.make_tensor_value_info("model/x:0", TensorProto.FLOAT, ["N", WINDOW, BANDS])],
        [helper.make_tensor_value_info("model/y:0", TensorProto.FLOAT, ["N", classes])], g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def convert(prefix: str, path: Path):
    """Writes the checkpoint `prefix` as `path`."""
    onnx.save(network(variables(prefix)), str(path))
