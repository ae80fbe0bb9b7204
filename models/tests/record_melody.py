#!/usr/bin/env python3
"""Makes small random melody models, mono and stereo, and records what transformers makes of them, and of melodies at the
published size.

As `record_parity.py`, whose parts it uses; the extractor of melodies needs torchaudio too:

    pip install torch torchaudio transformers tokenizers safetensors
    python models/tests/record_melody.py

What is listened to are tones by a formula that `parity_melody.rs` repeats, so that no audio is stored.
"""

import math

import torch
from record_parity import CASES, DATA, GUIDANCE, MARGIN, PROMPT, STEPS, greedy_codes, scatter, steered, write_checkpoint
from safetensors.torch import save_file
from transformers import (
    EncodecConfig,
    MusicgenMelodyConfig,
    MusicgenMelodyFeatureExtractor,
    MusicgenMelodyForConditionalGeneration,
    T5Config,
)
from transformers.models.musicgen_melody.configuration_musicgen_melody import MusicgenMelodyDecoderConfig

# Frames of melody that the model is given; a shorter melody is repeated, a longer one cut.
LENGTH = 11
# Of the cases of `record_parity.py`, those that differ in kind.
STEERED = ["plain", "residual_norm_conditional", "residual_literal_both", "attention_norm_conditional", "two_slots"]


def configuration(channels):
    """3 layers, text and melody narrower than the decoder, 4 codebooks or 3 for either side; stored as F16."""
    codebooks = 4 if channels == 1 else 6
    text = T5Config(vocab_size=64, d_model=20, d_kv=8, d_ff=24, num_layers=1, num_heads=2, feed_forward_proj="relu")
    codec = EncodecConfig(sampling_rate=2000, target_bandwidths=[1.2], upsampling_ratios=[5, 4, 2], num_filters=2,
                          hidden_size=8, codebook_size=64, use_causal_conv=False, use_conv_shortcut=False)
    decoder = MusicgenMelodyDecoderConfig(vocab_size=64, hidden_size=48, num_hidden_layers=3, num_attention_heads=3,
                                          ffn_dim=40, num_codebooks=codebooks, audio_channels=channels,
                                          max_position_embeddings=96, pad_token_id=64, bos_token_id=64, activation_function="gelu")
    return text, codec, decoder


def tones(rate, samples):
    """A run of notes, each with two overtones and a quiet hiss, that gets faster."""
    audio, noise = torch.empty(samples, dtype=torch.float64), 1
    for sample in range(samples):
        time = sample / rate
        note = 45 + (7 * int(2 * time + 0.2 * time * time)) % 31
        phase = 2 * math.pi * time * 440 * 2 ** ((note - 69) / 12)
        noise = (noise * 1103515245 + 12345) % 2**31
        hiss = noise / 2**31 - 0.5
        audio[sample] = 0.4 * math.sin(phase) + 0.2 * math.sin(2 * phase) + 0.1 * math.sin(3 * phase) + 0.02 * hiss
    return audio.float()


def extractor(rate, window, hop):
    return MusicgenMelodyFeatureExtractor(sampling_rate=rate, n_fft=window, hop_length=hop)


def record_chroma(out):
    """Classes and profiles at the published size; of a piece shorter than a window; and as the small model hears."""
    for name, rate, window, hop, samples in [("published", 32000, 16384, 4096, 31 * 32000 + 777),
                                             ("short", 32000, 16384, 4096, 9001), ("small", 2000, 256, 64, 3000)]:
        listener, audio = extractor(rate, window, hop), tones(rate, samples)
        seen = {}
        normalise = torch.nn.functional.normalize

        def keep(*arguments, **named):
            seen["profiles"] = normalise(*arguments, **named)
            return seen["profiles"].clone()

        torch.nn.functional.normalize = keep
        try:
            features = listener(audio.numpy(), sampling_rate=rate, return_tensors="pt", max_length=2 * samples)
        finally:
            torch.nn.functional.normalize = normalise
        out[f"chroma.{name}.profiles"] = seen["profiles"][0].T
        out[f"chroma.{name}.classes"] = features["input_features"][0].argmax(-1)
        assert (features["input_features"].sum(-1) == 1).all()


def prefix(model, ids, **more):
    """What `generate` prepends, `[2, P, D]`."""
    seen = []

    def stop(_, __, named):
        seen.append(named["encoder_hidden_states"])
        raise StopIteration

    hook = model.decoder.register_forward_pre_hook(stop, with_kwargs=True)
    try:
        model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, guidance_scale=GUIDANCE,
                       max_length=20, **more)
    except StopIteration:
        pass
    finally:
        hook.remove()
    return seen[0]


def guided_steps(model, case, directions, states, tokens):
    """Logits and activations of `STEPS` steps that read `tokens` after `states`, conditional row first."""
    layers = model.config.decoder.num_hidden_layers
    past, logits = None, []
    with steered(model, case, directions) as recorded:
        for step in range(STEPS):
            out = model(encoder_hidden_states=states if step == 0 else None, past_key_values=past, use_cache=True,
                        decoder_input_ids=tokens[:, step:step + 1].repeat(2, 1))
            past = out.past_key_values
            logits.append(out.logits[:, -1].reshape(2, len(tokens), -1))
    activations = {site: torch.stack(list_).reshape(STEPS, layers, 2, -1) for site, list_ in recorded.items()}
    return torch.stack(logits), activations


def random_model(name, channels, seed):
    """A model with its directions, stored as a checkpoint, and a prompt."""
    text, codec, decoder = configuration(channels)
    torch.manual_seed(seed)
    model = MusicgenMelodyForConditionalGeneration(MusicgenMelodyConfig(
        text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict(),
        chroma_length=LENGTH)).eval()
    scatter(model, codec, decoder, torch.float16)
    width, layers = decoder.hidden_size, decoder.num_hidden_layers
    directions = {site: {layer: torch.nn.functional.normalize(torch.randn(width), dim=0)
                         for layer in range(site == "attention", layers)} for site in ("residual", "attention")}
    tokenizer = write_checkpoint(name, model, torch.float16, None, directions)
    extractor(2000, 256, 64).save_pretrained(DATA / name / "checkpoint")
    return model, directions, torch.tensor([tokenizer.encode(PROMPT).ids])


def one_hot(melody):
    return {"input_features": torch.nn.functional.one_hot(melody, 12)[None].float()}


@torch.no_grad()
def record_stereo(seed):
    """Codes alone: what else there is does not know of sides, or is in the other models."""
    model, directions, ids = random_model("stereo_melody", 2, seed)
    out = {"melody.short": torch.randint(0, 12, (7,))}
    margins = []
    for name, melody in [("plain", one_hot(out["melody.short"])), ("none", {})]:
        out[f"{name}.codes"], margin = greedy_codes(model, CASES["plain"], directions, ids, **melody)
        margins.append(margin)
    name = "residual_norm_conditional"
    out[f"{name}.codes"], margin = greedy_codes(model, CASES[name], directions, ids, **one_hot(out["melody.short"]))
    if min(*margins, margin) < MARGIN:
        return False
    print(f"stereo: seed {seed}, least margin {min(*margins, margin):.1e}, codes {len(out['plain.codes'].unique())}")
    save_file({key: value.contiguous() for key, value in out.items()}, DATA / "stereo_melody" / "expected.safetensors")
    return True


@torch.no_grad()
def record(seed):
    model, directions, ids = random_model("melody", 1, seed)
    decoder = model.config.decoder
    out = {"text.ids": ids, "text.states": model.text_encoder(input_ids=ids).last_hidden_state}
    record_chroma(out)
    for name, frames in [("short", 7), ("long", 15)]:
        out[f"melody.{name}"] = torch.randint(0, 12, (frames,))
    melody = {name: one_hot(out[f"melody.{name}"]) for name in ("short", "long")} | {"none": {}}
    for name, features in melody.items():
        out[f"prefix.{name}"] = prefix(model, ids, **features)
    tokens = torch.randint(0, decoder.vocab_size, (decoder.num_codebooks, STEPS))
    tokens[:, 0] = decoder.vocab_size
    for codebook in range(decoder.num_codebooks):
        tokens[codebook, : codebook + 1] = decoder.vocab_size
    out["steps.tokens"] = tokens
    margins = []
    for name in STEERED:
        logits, activations = guided_steps(model, CASES[name], directions, out["prefix.short"], tokens)
        out[f"{name}.logits"] = logits if name == "plain" else logits[-1:]
        for site, values in activations.items():
            out[f"{name}.{site}"] = values[-1:]
        out[f"{name}.codes"], margin = greedy_codes(model, CASES[name], directions, ids, **melody["short"])
        margins.append(margin)
    for name in ("long", "none"):
        out[f"{name}.codes"], margin = greedy_codes(model, CASES["plain"], directions, ids, **melody[name])
        margins.append(margin)
    out["audio"] = model.audio_encoder.decode(out["plain.codes"][None, None], [None]).audio_values[0]
    if min(margins) < MARGIN:
        return False
    print(f"melody: seed {seed}, least margin {min(margins):.1e}, logits {out['plain.logits'].std():.2f}, "
          f"codes {[len(out[f'{case}.codes'].unique()) for case in STEERED]}, audio {out['audio'].std():.2f}")
    save_file({key: value.contiguous() for key, value in out.items()}, DATA / "melody" / "expected.safetensors")
    return True


if __name__ == "__main__":
    torch.set_num_threads(1)
    for recorded in (record, record_stereo):
        next(seed for seed in range(1000) if recorded(seed))
