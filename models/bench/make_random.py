#!/usr/bin/env python3
"""Makes a checkpoint of a published MusicGen's size with random weights, in the Hugging Face layout, without a network.

What a step costs does not depend on what the weights are, so this stands in for the published checkpoint where speed is
measured. Needs torch, transformers and tokenizers.

    python models/bench/make_random.py FOLDER
    python models/bench/make_random.py FOLDER --size large --dtype float16 --shard 2GB
"""

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import EncodecConfig, GenerationConfig, MusicgenConfig, MusicgenForConditionalGeneration, T5Config
from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

VOCABULARY = 2048
# Layers, width and heads of facebook/musicgen-small, -medium and -large. Feed-forward blocks are four times as wide.
SIZES = {"small": (24, 1024, 16), "medium": (48, 1536, 24), "large": (48, 2048, 32)}
WORDS = "a calm flute melody over soft drums music slow warm strings quiet drum loop".split()


def configuration(size, layers):
    """T5-base's encoder, the decoder of that size or with fewer layers, the 32 kHz EnCodec."""
    published, width, heads = SIZES[size]
    layers = layers or published
    text = T5Config(vocab_size=32128, d_model=768, d_kv=64, d_ff=3072, num_layers=min(12, layers), num_heads=12)
    codec = EncodecConfig(sampling_rate=32000, audio_channels=1, target_bandwidths=[2.2], normalize=False,
                          upsampling_ratios=[8, 5, 4, 4], num_filters=64, hidden_size=128, codebook_size=VOCABULARY,
                          use_causal_conv=False, use_conv_shortcut=False)
    decoder = MusicgenDecoderConfig(vocab_size=VOCABULARY, hidden_size=width, num_hidden_layers=layers,
                                    num_attention_heads=heads, ffn_dim=4 * width, num_codebooks=4,
                                    max_position_embeddings=2048, pad_token_id=VOCABULARY, bos_token_id=VOCABULARY)
    return MusicgenConfig(text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict())


def write_tokenizer(folder):
    vocabulary = {"<pad>": 0, "</s>": 1, "<unk>": 2} | {word: 3 + at for at, word in enumerate(dict.fromkeys(WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--layers", type=int, help="of the decoder; fewer than published to try a measurement quickly")
    parser.add_argument("--dtype", choices=["float32", "float16"], default="float32")
    parser.add_argument("--shard", default="8GB", help="the most that one file holds")
    parser.add_argument("--window", type=int, default=1600,
                        help="frames of a window; the published 1500 leave no room for steps at position 1500")
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    # From the start: large in single precision is 13 GB.
    torch.set_default_dtype(getattr(torch, arguments.dtype))
    model = MusicgenForConditionalGeneration(configuration(arguments.size, arguments.layers)).eval()
    for name, weight in model.named_parameters():
        if name.startswith("decoder.") and "layer_norm" in name:
            # As PyTorch begins, all ones and zeros, they would hide a norm that is left out.
            weight.add_(0.1 * torch.randn_like(weight))
    for layer in model.audio_encoder.quantizer.layers:
        # Codebooks begin empty.
        layer.codebook.embed.copy_(torch.randn_like(layer.codebook.embed))
    model.generation_config = GenerationConfig(
        max_length=arguments.window, decoder_start_token_id=VOCABULARY, pad_token_id=VOCABULARY,
        bos_token_id=VOCABULARY, guidance_scale=3.0, do_sample=True)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(arguments.folder, max_shard_size=arguments.shard)
    write_tokenizer(arguments.folder)
    (arguments.folder / "README.md").write_text("---\nlicense: cc0-1.0\n---\nRandom weights, to measure speed.\n")
    parameters = sum(weight.numel() for weight in model.parameters())
    print(f"{arguments.folder}: {parameters / 1e6:.0f} million random weights")


if __name__ == "__main__":
    main()
