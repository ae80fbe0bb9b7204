"""An exported checkpoint, run by transformers, gives the training code's codes and audio."""

import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parents[1]))
from codec import Codec  # noqa: E402
from export_checkpoint import trained_state, write  # noqa: E402
from filterbank import analyse, synthesise  # noqa: E402
from lm import LanguageModel  # noqa: E402
from shapes import Shape  # noqa: E402
from train_tokenizer import build  # noqa: E402


def test_export_round_trip():
    from transformers import MusicgenForConditionalGeneration

    torch.manual_seed(0)
    shape = Shape()
    codec, model = Codec(shape).eval(), LanguageModel(shape)
    wave = 0.1 * torch.randn(1, 640 * 30)
    with torch.no_grad():
        latent = codec.encode(wave)
        codec.quantiser.start(torch.randn(2 * shape.codec.codebook_size, latent.shape[1]) * latent.std())
        quantised, _, codes = codec.quantiser(latent, False)
        expected = codec.decode(quantised)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        save_file(codec.published_state(), work / "codec.safetensors")
        save_file(model.published_state(), work / "lm.safetensors")
        build(shape.text.vocabulary, ["solo flute", "piano and drums", "a minor melody"] * 20).save(str(work / "tokenizer.json"))
        write(shape, trained_state(work), work / "tokenizer.json", work / "checkpoint")
        bank = load_file(work / "checkpoint/model.safetensors")["audio_encoder.filter_bank.analysis.weight"]
        reference = MusicgenForConditionalGeneration.from_pretrained(work / "checkpoint").audio_encoder.eval()
    bandwidth = max(reference.config.target_bandwidths)
    with torch.no_grad():
        encoded = reference.quantizer.encode(reference.encoder(analyse(wave, bank)), bandwidth)  # [K, 1, T]
        assert (encoded[:, 0].T == codes).float().mean() > 0.99
        bands = reference.decoder(reference.quantizer.decode(codes.T[:, None]))
    got = synthesise(bands, bank)
    assert (got - expected).abs().max() < 1e-4 * expected.abs().max()
