"""What a shipped bundle is unpacked to computes what the bundle's graphs compute."""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from codec import Codec  # noqa: E402
from lm import LanguageModel  # noqa: E402
from shapes import Shape  # noqa: E402
from unpack_bundle import codec_state, lm_state  # noqa: E402

BUNDLE = Path(__file__).parents[2] / "default"


def graph(name: str, **inputs) -> list:
    """Outputs of one of the bundle's graphs."""
    return onnxruntime.InferenceSession(BUNDLE / f"{name}.onnx").run(None, inputs)


def test_the_codec_gives_the_bundles_codes():
    codec = Codec(Shape())
    codec.load_published(codec_state(BUNDLE, Shape()))
    wave = 0.1 * torch.randn(1, 640 * 40, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        codes = codec.quantiser.encode(codec.eval().encode(wave).transpose(1, 2).flatten(0, 1))
    expected = graph("encodec_encode", audio=wave[None].numpy())[0][0].T
    assert (codes.numpy() == expected).mean() > 0.99


def test_the_text_is_read_as_the_bundle_reads_it():
    model = LanguageModel(Shape()).eval()
    model.load_published(lm_state(BUNDLE, Shape(), ()))
    ids, mask = torch.tensor([[5, 60, 300, 7, 1]]), torch.ones(1, 5, dtype=torch.long)
    states = graph("text_encoder", input_ids=ids.numpy(), attention_mask=mask.float().numpy())[0]
    crossed = graph("cross", text_states=states, text_mask=np.ones((1, 5, 1), np.float32))
    with torch.no_grad():
        attention = model.decoder.layers[0].encoder_attn
        key = attention.split(attention.k_proj(model.condition(ids, mask)))
    assert np.abs(key.numpy() - crossed[0]).max() < 1e-3 * np.abs(crossed[0]).max()
