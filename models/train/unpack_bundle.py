"""Makes training weights from a shipped bundle, so that training goes on from what was shipped.

    python unpack_bundle.py --bundle ../default --work target/train

Writes `codec.safetensors`, `lm.safetensors` and `lm.pt`, which `tokenise.py`, `train_lm.py` and `export_checkpoint.py` take as
their own. The codec comes back exactly. The language model comes back as it is shipped: 8-bit weights, which a few
steps of training heal, and heads as sharp as `--sharpen` made them; give the same factors here to undo that.
Needs the package `onnx`.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers.models.t5.modeling_t5 import T5Attention

from codec import Codec
from lm import LanguageModel
from saving import replace
from shapes import Shape

SYNTHETIC_MASS = 40.0  # of each code: the running averages start at the shipped entries


def initializers(path: Path) -> dict:
    """Name -> array of a graph's weights."""
    import onnx
    from onnx import numpy_helper

    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def dequantised(weights: dict, name: str) -> np.ndarray:
    """A matrix [outputs, inputs] from its blocks of unsigned 8-bit values around 128."""
    blocks, scales = weights[f"{name}.int8"].astype(np.float32), weights[f"{name}.scale"]
    return ((blocks - 128) * scales[..., None]).reshape(blocks.shape[0], -1)


def lstm(weights: dict, prefix: str, layers: int) -> dict:
    """PyTorch's gates (input, forget, cell, output) from ONNX's (input, output, forget, cell)."""
    def gates(a):
        i, o, f, c = np.split(a, 4)
        return np.concatenate([i, f, c, o])
    out = {}
    for n in range(layers):
        for kind in ("weight_ih", "weight_hh"):
            out[f"{prefix}{kind}_l{n}"] = gates(weights[f"audio_encoder.{prefix}{kind}_l{n}"][0])
        for kind, half in zip(("bias_ih", "bias_hh"), np.split(weights[f"audio_encoder.{prefix}bias_l{n}"][0], 2)):
            out[f"{prefix}{kind}_l{n}"] = gates(half)
    return out


def codec_state(bundle: Path, shape: Shape) -> dict:
    """The codec under the names of `Codec.published_state`."""
    weights = {}
    for graph in ("encodec_encode", "encodec_latent", "encodec_wave"):
        weights |= initializers(bundle / f"{graph}.onnx")
    out = {}
    for name in Codec(shape).published_state():
        stored = f"audio_encoder.{name}".replace(".conv.weight", ".weight")
        if stored in weights:
            out[name] = weights[stored]
        elif name.startswith("quantizer."):
            book = weights["audio_encoder." + name.rsplit(".", 1)[0] + ".embed"]
            out[name] = {"embed_avg": book * SYNTHETIC_MASS, "cluster_size": np.full(len(book), SYNTHETIC_MASS, np.float32),
                         "inited": np.ones(1, np.float32)}[name.rsplit(".", 1)[1]]
        elif ".lstm." in name:
            prefix = name[:name.index(".lstm.") + len(".lstm.")]
            out |= lstm(weights, prefix, shape.codec.lstm_layers)
        else:
            raise SystemExit(f"{bundle} has no {stored}: it is not a bundle of this recipe's shape")
    return {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in out.items()}


def lm_state(bundle: Path, shape: Shape, sharpened: tuple) -> dict:
    """The language model under the names of `LanguageModel.published_state`."""
    d, c = shape.decoder, shape.codec
    weights = initializers(bundle / "decoder.int8.onnx") | initializers(bundle / "cross.onnx")
    weights |= initializers(bundle / "text_encoder.onnx")
    tables = np.split(weights["embed_tokens"].astype(np.float32), c.codebooks)
    heads = np.split(dequantised(weights, "lm_heads"), c.codebooks)
    out = {}
    for name, like in LanguageModel(shape).published_state().items():
        if ".embed_tokens." in name and name.startswith("decoder."):
            value = tables[int(name.split(".")[-2])]
        elif name.startswith("decoder.lm_heads."):
            k = int(name.split(".")[2])
            value = heads[k] / (sharpened[k] if sharpened else 1.0)
        elif f"{name}.int8" in weights:
            value = dequantised(weights, name)
        elif ".self_attn." in name and "out_proj" not in name:
            packed = dequantised(weights, name[:name.index(".self_attn.")] + ".self_attn.qkv")
            value = packed.reshape(3, d.width, d.width)["qkv".index(name.split(".")[-2][0])]
        elif name.endswith("relative_attention_bias.weight"):
            value = by_bucket(weights[name], like.shape[0])
        else:
            value = weights[name]
            # Plain matrices are stored as ONNX multiplies them; embeddings and norms are as they were.
            if value.ndim == 2 and name != "text_encoder.shared.weight":
                value = value.T
        if value.shape != tuple(like.shape):
            raise SystemExit(f"{name} is {value.shape} in {bundle}, not {tuple(like.shape)}: another shape than this recipe's")
        out[name] = torch.from_numpy(np.ascontiguousarray(value))
    return out


def by_bucket(by_distance: np.ndarray, buckets: int) -> np.ndarray:
    """T5's table of buckets from one of distances; buckets that no distance reaches are zero."""
    reach = len(by_distance) // 2
    distances = torch.arange(-reach, reach + 1)
    index = T5Attention._relative_position_bucket(distances, True, buckets, reach).numpy()
    out = np.zeros((buckets, by_distance.shape[1]), np.float32)
    out[index] = by_distance
    return out


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=Path(__file__).parents[1] / "default")
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    parser.add_argument("--sharpen", type=float, nargs="+", default=(), metavar="FACTOR", help="what the heads were scaled by")
    a = parser.parse_args()
    shape = Shape()
    a.work.mkdir(parents=True, exist_ok=True)
    codec, lm = codec_state(a.bundle, shape), lm_state(a.bundle, shape, a.sharpen)
    model = LanguageModel(shape)
    model.load_published(lm)
    replace(a.work / "codec.safetensors", lambda partial: save_file(codec, partial))
    replace(a.work / "lm.safetensors", lambda partial: save_file(lm, partial))
    replace(a.work / "lm.pt", lambda partial: torch.save({"model": model.state_dict(), "spent": 0.0, "step": 0}, partial))
    shutil.copyfile(a.bundle / "tokenizer.json", a.work / "tokenizer.json")
    print(f"{a.work}: {len(codec)} tensors of the codec, {len(lm)} of the language model")


if __name__ == "__main__":
    main()
