#!/usr/bin/env python3
"""Makes a small random CLAP checkpoint and records what transformers makes of it.

The checkpoint and the recordings under `data/clap/` are committed; the Rust tests import the former and compare with
the latter, so only whoever changes them needs Python:

    pip install torch transformers tokenizers safetensors
    python models/tests/record_clap.py

Names and layout are those of laion/clap-htsat-unfused. Two stages: the first has windows that are shifted, the second
is one window. The spectrogram is shorter than the image, so that it is stretched as the published model's is.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

DATA = Path(__file__).parent / "data" / "clap"
RATE = 8000
LABELS = ["rock", "pop", "a flute solo"]
TEMPLATE = "This is a sound of {}."

TEXT = dict(vocab_size=16, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
            max_position_embeddings=24)
AUDIO = dict(window_size=4, num_mel_bins=16, spec_size=32, patch_size=4, patch_stride=[4, 4], depths=[2, 2],
             num_attention_heads=[2, 3], patch_embeds_hidden_size=12, hidden_size=24, mlp_ratio=2.0)
FEATURES = dict(feature_size=16, sampling_rate=RATE, hop_length=160, max_length_s=1, fft_window_size=512,
                frequency_min=50, frequency_max=3500, truncation="rand_trunc", padding="repeatpad")


def random_model():
    """Biases, norms and statistics too are random, so that none of them can be left out unnoticed."""
    torch.manual_seed(7)
    model = ClapModel(ClapConfig(text_config=TEXT, audio_config=AUDIO, projection_dim=10)).eval()
    for name, parameter in model.named_parameters():
        if name.startswith("logit_scale"):
            parameter.fill_(3.0 if name.endswith("_a") else 2.5)
        elif parameter.dim() == 1:
            parameter.normal_(1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0, 0.3)
        elif "embeddings" in name or "bias_table" in name:
            parameter.normal_(0.0, 0.7)
        else:
            parameter.normal_(0.0, 1.4 * parameter[0].numel() ** -0.5)
    norm = model.audio_model.audio_encoder.batch_norm
    norm.running_mean.normal_(-20.0, 4.0)
    norm.running_var.uniform_(100.0, 400.0)
    return model


def write_tokenizer(folder):
    words = sorted({word.lower().strip(".") for text in [TEMPLATE, *LABELS] for word in text.split()} - {"{}"})
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    vocabulary |= {word: 4 + index for index, word in enumerate(words)}
    assert len(vocabulary) <= TEXT["vocab_size"]
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def clips():
    """Shorter than the model's window, exactly as long, and longer; half of the second is silent."""
    generator = np.random.default_rng(3)
    time = np.arange(17600) / RATE
    sound = 0.4 * np.sin(2 * np.pi * (220 + 300 * time) * time) + 0.2 * np.sin(2 * np.pi * 1900 * time)
    sound = (sound + 0.05 * generator.standard_normal(time.size)).astype(np.float32)
    half = sound[:8000].copy()
    half[4000:] = 0
    return {"short": sound[:2900], "whole": half, "long": sound}


@torch.no_grad()
def record():
    model = random_model()
    folder = DATA / "checkpoint"
    shutil.rmtree(DATA, ignore_errors=True)
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    extractor = ClapFeatureExtractor(**FEATURES)
    extractor.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: cc0-1.0\n---\nRandom weights, for tests.\n")
    tokenizer = write_tokenizer(folder)

    def embedded(features):
        return model.get_audio_features(input_features=torch.from_numpy(features)).pooler_output

    text = [torch.tensor([tokenizer.encode(TEMPLATE.format(label)).ids]) for label in LABELS]
    text = torch.cat([model.get_text_features(input_ids=ids).pooler_output for ids in text])
    out = {"text.embeddings": text}
    for name, clip in clips().items():
        # A longer clip is heard in windows from its beginning to its end, evenly spaced, and the mean counts.
        count = -(-clip.size // RATE)
        starts = [(clip.size - RATE) * index // (count - 1) for index in range(count)] if count > 1 else [0]
        features = [extractor(clip[start:start + RATE], sampling_rate=RATE, return_tensors="np").input_features
                    for start in starts]
        features = np.concatenate(features).astype(np.float32)
        embeddings = embedded(features)
        embedding = torch.nn.functional.normalize(embeddings.mean(dim=0), dim=0)
        logits = model.logit_scale_a.exp() * text @ embedding
        out |= {f"{name}.audio": torch.from_numpy(clip), f"{name}.features": torch.from_numpy(features),
                f"{name}.embedding": embedding, f"{name}.probabilities": logits.softmax(dim=0)}
        print(name, starts, embedding[:3], logits.softmax(dim=0))
    save_file({key: value.contiguous().clone() for key, value in out.items()}, DATA / "expected.safetensors")
    (DATA / "labels.json").write_text(json.dumps({"template": TEMPLATE, "labels": LABELS}) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    record()
