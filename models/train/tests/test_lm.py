"""The fast decoder gives transformers' logits, conditional and unconditional rows alike."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from export_checkpoint import random_state  # noqa: E402
from lm import LanguageModel  # noqa: E402
from shapes import DecoderShape, Shape, transformers_config  # noqa: E402


def test_logits_match_transformers():
    from transformers import MusicgenForConditionalGeneration

    shape = Shape(decoder=DecoderShape(width=64, layers=3, heads=4, feed_forward=128))
    reference = MusicgenForConditionalGeneration(transformers_config(shape)).eval()
    state = random_state(shape)
    reference.load_state_dict(state)
    ours = LanguageModel(shape).eval()
    ours.load_published({k: v for k, v in state.items() if not k.startswith("audio")})
    ids = torch.randint(0, 1025, (2, 4, 12))
    text = torch.randint(3, 500, (2, 7))
    mask = torch.tensor([[1] * 5 + [0] * 2, [0] * 7])
    with torch.no_grad():
        expected = reference(input_ids=text, attention_mask=mask, decoder_input_ids=ids.reshape(8, 12)).logits
        got = ours.decoder(ids, ours.condition(text, mask), mask)
    assert (expected.view(2, 4, 12, -1) - got).abs().max() < 1e-4
