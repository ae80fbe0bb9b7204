#!/usr/bin/env python3
"""Makes small random MusicGen checkpoints and records what transformers makes of them.

The checkpoints and the recordings under `data/` are committed; the Rust tests import the former and compare with the
latter, so only whoever changes them needs Python:

    pip install torch transformers tokenizers safetensors
    python models/tests/record_parity.py [CHECKPOINT ...]

Weights are scaled so that outputs are lively, sizes are odd on purpose, and a seed is searched with which no choice of
a token or code hangs on less than float rounding, so that greedy codes can be compared exactly.
"""

import json
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import EncodecConfig, GenerationConfig, MusicgenConfig, MusicgenForConditionalGeneration, T5Config
from transformers.modeling_outputs import BaseModelOutput
from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

DATA = Path(__file__).parent / "data"
PROMPT = "slow warm strings over a quiet drum loop"
FRAMES = 40
STEPS = 20
GUIDANCE = 3.0
# Least difference between the best and the second best choice; float rounding is well below.
MARGIN = 2e-4


@dataclass
class Case:
    """How a run is steered: strength at each site, scaled by the activation's norm or not, which rows."""

    residual: float = 0.0
    attention: float = 0.0
    literal: bool = False
    both_rows: bool = False


CASES = {
    "plain": Case(),
    "residual_norm_conditional": Case(residual=0.5),
    "residual_norm_both": Case(residual=-0.7, both_rows=True),
    "residual_literal_conditional": Case(residual=2.0, literal=True),
    "residual_literal_both": Case(residual=1.5, literal=True, both_rows=True),
    "attention_norm_conditional": Case(attention=0.6),
    "attention_literal_both": Case(attention=1.5, literal=True, both_rows=True),
    "two_slots": Case(residual=0.4, attention=-0.5),
}


def small():
    """5 layers, text wider than the decoder, the layout of the published 32 kHz codec; stored as F16."""
    text = T5Config(vocab_size=64, d_model=40, d_kv=12, d_ff=56, num_layers=2, num_heads=3, feed_forward_proj="relu",
                    relative_attention_num_buckets=8, relative_attention_max_distance=12)
    codec = EncodecConfig(sampling_rate=2000, target_bandwidths=[1.4], upsampling_ratios=[5, 4, 2], num_filters=8,
                          hidden_size=24, codebook_size=128, use_causal_conv=False, use_conv_shortcut=False)
    decoder = MusicgenDecoderConfig(vocab_size=128, hidden_size=128, num_hidden_layers=5, num_attention_heads=2,
                                    ffn_dim=72, num_codebooks=4, max_position_embeddings=96, pad_token_id=128,
                                    bos_token_id=128, activation_function="gelu")
    return text, codec, decoder, torch.float16


def gated():
    """Gated text encoder as wide as the decoder, causal codec with shortcuts and dilations; two shards of BF16."""
    text = T5Config(vocab_size=64, d_model=48, d_kv=8, d_ff=40, num_layers=3, num_heads=4,
                    feed_forward_proj="gated-gelu", relative_attention_num_buckets=12,
                    relative_attention_max_distance=20)
    codec = EncodecConfig(sampling_rate=600, target_bandwidths=[1.8], upsampling_ratios=[3, 2], num_filters=6,
                          hidden_size=12, codebook_size=64, use_causal_conv=True, use_conv_shortcut=True,
                          num_residual_layers=2, kernel_size=5, num_lstm_layers=1, compress=3, trim_right_ratio=0.5)
    decoder = MusicgenDecoderConfig(vocab_size=64, hidden_size=48, num_hidden_layers=3, num_attention_heads=3,
                                    ffn_dim=80, num_codebooks=3, max_position_embeddings=64, pad_token_id=64,
                                    bos_token_id=64, activation_function="relu")
    return text, codec, decoder, torch.bfloat16


def banded():
    """A filter bank around a codec with an even kernel; stored as F32."""
    text = T5Config(vocab_size=64, d_model=24, d_kv=8, d_ff=32, num_layers=1, num_heads=2, feed_forward_proj="relu")
    codec = EncodecConfig(sampling_rate=500, audio_channels=4, target_bandwidths=[0.5], upsampling_ratios=[5, 2],
                          num_filters=6, hidden_size=16, codebook_size=32, use_causal_conv=False,
                          use_conv_shortcut=False, kernel_size=6)
    decoder = MusicgenDecoderConfig(vocab_size=32, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
                                    ffn_dim=96, num_codebooks=2, max_position_embeddings=64, pad_token_id=32,
                                    bos_token_id=32, activation_function="gelu_new")
    return text, codec, decoder, torch.float32


def stereo():
    """Left and right as 3 codebooks each of a mono codec, in turns, as in the published stereo models; stored as F16."""
    text = T5Config(vocab_size=64, d_model=20, d_kv=8, d_ff=24, num_layers=1, num_heads=2, feed_forward_proj="relu",
                    relative_attention_num_buckets=8, relative_attention_max_distance=12)
    codec = EncodecConfig(sampling_rate=600, target_bandwidths=[1.5], upsampling_ratios=[3, 2], num_filters=4,
                          hidden_size=12, codebook_size=32, use_causal_conv=False, use_conv_shortcut=False)
    decoder = MusicgenDecoderConfig(vocab_size=32, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                                    ffn_dim=40, num_codebooks=6, audio_channels=2, max_position_embeddings=80,
                                    pad_token_id=32, bos_token_id=32, activation_function="gelu")
    return text, codec, decoder, torch.float16


FILTER_BANK = {"bands": 4, "window": 8, "hop": 4, "padding": 2, "sampling_rate": 2000}


def random_model(text, codec, decoder, dtype, seed):
    torch.manual_seed(seed)
    config = MusicgenConfig(text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict())
    model = MusicgenForConditionalGeneration(config).eval()
    scatter(model, codec, decoder, dtype)
    return model


def scatter(model, codec, decoder, dtype):
    """Draws weights again with which outputs are lively, and rounds them to what the checkpoint will hold."""
    model.generation_config = GenerationConfig(
        max_length=60, decoder_start_token_id=decoder.vocab_size, pad_token_id=decoder.vocab_size,
        bos_token_id=decoder.vocab_size, guidance_scale=GUIDANCE)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "layer_norm" in name:
                weight.add_(0.2 * torch.randn_like(weight))
            elif name.startswith(("decoder.", "enc_to_dec", "audio_enc_to_dec")):
                weight.copy_(torch.randn_like(weight) * (1.6 / weight.shape[-1] ** 0.5))
            elif "lstm" in name:
                weight.mul_(1.5)
        round_weights(model, dtype)
        fill_codebooks(model, codec)
        round_weights(model, dtype)


def round_weights(model, dtype):
    """To what the checkpoint will hold. Only what it will hold: `model.to` would round the table of positions too."""
    for tensor in model.state_dict().values():
        tensor.copy_(tensor.to(dtype))


def fill_codebooks(model, codec):
    """Codebooks as wide as what they quantise, with an entry given twice: of equals, the first is taken."""
    audio = torch.randn(1, codec.audio_channels, codec.hop_length * 50)
    rest = model.audio_encoder.encoder(audio)
    for layer in model.audio_encoder.quantizer.layers:
        book = layer.codebook
        book.embed.copy_(torch.randn_like(book.embed) * rest.std() + rest.mean())
        book.embed[7] = book.embed[3]
        rest = rest - layer.decode(layer.encode(rest))


@contextmanager
def steered(model, case, directions):
    """Forward hooks that do what the paper writes: h <- (h + a s r) / (1 + |a|).

    Every run reads one step of music, so that its last position is all there is but for what a melody model prepends.
    """
    recorded = {"residual": [], "attention": []}

    def change(site, layer, h):
        recorded[site].append(h[:, -1].clone())
        strength = getattr(case, site)
        if strength == 0.0 or layer not in directions[site]:
            return h
        rows = slice(None) if case.both_rows else slice(0, 1)
        part = h[rows, -1:]
        scale = 1.0 if case.literal else part.norm(dim=-1, keepdim=True)
        h = h.clone()
        h[rows, -1:] = (part + strength * scale * directions[site][layer]) / (1 + abs(strength))
        return h

    def hook(site, layer):
        def act(_, __, out):
            # Melody's layers return their attention too.
            return (change(site, layer, out[0]), *out[1:]) if isinstance(out, tuple) else change(site, layer, out)
        return act

    hooks = []
    for number, layer in enumerate(model.decoder.model.decoder.layers):
        hooks.append(layer.register_forward_hook(hook("residual", number)))
        hooks.append(layer.self_attn.register_forward_hook(hook("attention", number)))
    try:
        yield recorded
    finally:
        for hook in hooks:
            hook.remove()


def guided_steps(model, case, directions, states, tokens):
    """Logits and activations of `STEPS` steps that read `tokens`, conditional row first."""
    layers = model.config.decoder.num_hidden_layers
    both = torch.cat([states, torch.zeros_like(states)])
    mask = torch.cat([torch.ones(states.shape[:2], dtype=torch.long), torch.zeros(states.shape[:2], dtype=torch.long)])
    past, logits = None, []
    with steered(model, case, directions) as recorded:
        for step in range(STEPS):
            ids = tokens[:, step:step + 1].repeat(2, 1)
            out = model(encoder_outputs=BaseModelOutput(last_hidden_state=both), attention_mask=mask,
                        decoder_input_ids=ids, past_key_values=past, use_cache=True)
            past = out.past_key_values
            logits.append(out.logits.reshape(2, len(tokens), -1))
    activations = {site: torch.stack(list_).reshape(STEPS, layers, 2, -1) for site, list_ in recorded.items()}
    return torch.stack(logits), activations


def greedy_codes(model, case, directions, ids, **told):
    """Codes of `FRAMES` frames as `generate` finds them, after an opening or for a melody if told; the least margin of a choice."""
    codebooks, channels = model.config.decoder.num_codebooks, model.config.decoder.audio_channels
    found, margins = [], []
    decode = model.audio_encoder.decode

    def stop(codes, **_):
        found.append(codes)
        if len(found) == channels:
            raise StopIteration
        return SimpleNamespace(audio_values=None)

    def watch(_, __, output):
        conditional, unconditional = output.logits[:, -1].chunk(2)
        best = (unconditional + (conditional - unconditional) * GUIDANCE).topk(2, dim=-1).values
        margins.append((best[:, 0] - best[:, 1]).min().item())

    hook = model.decoder.register_forward_hook(watch)
    model.audio_encoder.decode = stop
    try:
        with steered(model, case, directions):
            model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, **told,
                           guidance_scale=GUIDANCE, max_length=FRAMES + codebooks // channels)
    except StopIteration:
        pass
    finally:
        hook.remove()
        model.audio_encoder.decode = decode
    return torch.stack([codes[0, 0] for codes in found], dim=1).flatten(0, 1), min(margins)


def bank(weights, x, synthesis):
    hop, padding = FILTER_BANK["hop"], FILTER_BANK["padding"]
    if synthesis:
        return torch.nn.functional.conv_transpose1d(x, weights["synthesis"], stride=hop, padding=padding)
    return torch.nn.functional.conv1d(x, weights["analysis"], stride=hop, padding=padding)


def record_codec(model, weights, out):
    """Codes of some audio and audio of some codes; also of pieces shorter than a convolution's padding."""
    codec, config = model.audio_encoder, model.config.audio_encoder
    channels = model.config.decoder.audio_channels
    codebooks = model.config.decoder.num_codebooks // channels
    samples = config.hop_length * (FILTER_BANK["hop"] if weights else 1)
    margin = float("inf")
    for frames in (1, 2, 3, 12):
        audio = torch.randn(1, channels, frames * samples)
        sides = []
        for side in audio.split(1, dim=1):
            rest = codec.encoder(bank(weights, side, False) if weights else side)
            codes = codec.quantizer.encode(rest, config.target_bandwidths[0])[:codebooks, 0]
            for layer, row in zip(codec.quantizer.layers, codes):
                entries = layer.codebook.embed.unique(dim=0)
                gaps = torch.cdist(rest[0].T, entries).pow(2).topk(2, largest=False).values
                margin = min(margin, (gaps[:, 1] - gaps[:, 0]).min().item())
                rest = rest - layer.decode(row[None])
            sides.append(codes)
        # As `generate` has it: left and right in turns.
        out[f"encode.{frames}.audio"] = audio
        out[f"encode.{frames}.codes"] = torch.stack(sides, dim=1).flatten(0, 1)
    for frames in (8, 60):
        codes = torch.randint(0, config.codebook_size, (codebooks * channels, frames))
        sides = [codec.decoder(codec.quantizer.decode(codes[side::channels, None])) for side in range(channels)]
        audio = torch.cat([bank(weights, side, True) if weights else side for side in sides], dim=1)
        out[f"decode.{frames}.codes"] = codes
        out[f"decode.{frames}.audio"] = audio
    return margin


def write_tokenizer(folder):
    words = sorted(set(PROMPT.split()) | {"fast", "bright", "piano"})
    vocabulary = {"<pad>": 0, "</s>": 1, "<unk>": 2} | {word: 3 + index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def write_checkpoint(name, model, dtype, weights, directions):
    folder = DATA / name / "checkpoint"
    shutil.rmtree(DATA / name, ignore_errors=True)
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    path = folder / "model.safetensors"
    tensors = load_file(path)
    # Training's statistics are not read.
    unread = ("cluster_size", "embed_avg", "inited")
    tensors = {key: value.to(dtype) for key, value in tensors.items() if not key.endswith(unread)}
    if weights:
        for half, weight in weights.items():
            tensors[f"audio_encoder.filter_bank.{half}.weight"] = weight
        config = json.loads((folder / "config.json").read_text())
        config["audio_encoder"]["filter_bank"] = FILTER_BANK
        (folder / "config.json").write_text(json.dumps(config, indent=2))
    if name == "gated":
        # The naming of PyTorch before 2.0, and two shards.
        older = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
        for new, old in older.items():
            tensors = {key.replace(new, old): value for key, value in tensors.items()}
        names = sorted(tensors)
        halves = {1: names[: len(names) // 2], 2: names[len(names) // 2:]}
        index = {}
        for number, half in halves.items():
            file = f"model-{number:05}-of-00002.safetensors"
            save_file({key: tensors[key] for key in half}, folder / file, {"format": "pt"})
            index |= {key: file for key in half}
        path.unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}, indent=1))
    else:
        save_file(tensors, path, {"format": "pt"})
    for site, by_layer in directions.items():
        (folder / "vectors").mkdir(exist_ok=True)
        # Any length: loading brings them to 1.
        vectors = {f"{site}.{layer}": 3.0 * direction for layer, direction in by_layer.items()}
        save_file(vectors, folder / "vectors" / f"{site}.safetensors", {"format": "tiller-vector/1", "concept": site})
    (folder / "README.md").write_text("---\nlicense: cc0-1.0\n---\nRandom weights, for tests.\n")
    return write_tokenizer(folder)


@torch.no_grad()
def record(name, configuration, seed):
    text, codec, decoder, dtype = configuration()
    model = random_model(text, codec, decoder, dtype, seed)
    weights = None
    if name == "banded":
        weights = {half: 0.5 * torch.randn(4, 1, 8) for half in ("analysis", "synthesis")}
    width, layers = decoder.hidden_size, decoder.num_hidden_layers
    directions = {site: {layer: torch.nn.functional.normalize(torch.randn(width), dim=0)
                         for layer in range(site == "attention", layers)} for site in ("residual", "attention")}
    tokenizer = write_checkpoint(name, model, dtype, weights, directions)
    ids = torch.tensor([tokenizer.encode(PROMPT).ids])
    out = {"text.ids": ids, "text.states": model.text_encoder(input_ids=ids).last_hidden_state}
    mask = torch.ones(2, ids.shape[1], dtype=torch.long)
    mask[1, 4:] = 0
    longer = torch.cat([ids, torch.randint(3, 12, ids.shape)])
    # Long enough for the farthest relative positions.
    out["padded.ids"], out["padded.mask"] = longer.repeat(1, 4), mask.repeat_interleave(4, dim=1)
    out["padded.states"] = model.text_encoder(
        input_ids=out["padded.ids"], attention_mask=out["padded.mask"]).last_hidden_state
    margins = [record_codec(model, weights, out)]
    tokens = torch.randint(0, decoder.vocab_size, (decoder.num_codebooks, STEPS))
    tokens[:, 0] = decoder.vocab_size
    for codebook in range(decoder.num_codebooks):
        tokens[codebook, : codebook // decoder.audio_channels + 1] = decoder.vocab_size
    out["steps.tokens"] = tokens
    for case_name, case in CASES.items():
        logits, activations = guided_steps(model, case, directions, out["text.states"], tokens)
        out[f"{case_name}.logits"] = logits
        for site, values in activations.items():
            # All steps would be half of the fixture.
            out[f"{case_name}.{site}"] = values if case_name == "plain" else values[-1:]
        out[f"{case_name}.codes"], margin = greedy_codes(model, case, directions, ids)
        assert out[f"{case_name}.codes"].shape == (decoder.num_codebooks, FRAMES)
        margins.append(margin)
    if min(margins) < MARGIN:
        return False
    print(f"{name}: seed {seed}, least margin {min(margins):.1e}, logits {out['plain.logits'].std():.2f}, "
          f"codes {[len(out[f'{case}.codes'].unique()) for case in CASES]}, "
          f"audio {out['decode.60.audio'].std():.2f}")
    save_file({key: value.contiguous() for key, value in out.items()}, DATA / name / "expected.safetensors")
    return True


if __name__ == "__main__":
    torch.set_num_threads(1)
    checkpoints = {"small": small, "gated": gated, "banded": banded, "stereo": stereo}
    for name in sys.argv[1:] or checkpoints:
        next(seed for seed in range(1000) if record(name, checkpoints[name], seed))
