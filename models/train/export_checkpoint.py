"""Writes a Hugging Face MusicGen checkpoint directory from the trained parts.

    python export_checkpoint.py --work target/train            # trained weights -> checkpoint/
    python export_checkpoint.py --work target/train --random   # random weights -> checkpoint-random/

The folder holds config.json, generation_config.json, tokenizer.json, model.safetensors and
words.txt, the words that captions use, for whoever wants to know what a prompt may say.
`--sharpen` scales each codebook's head, so that sampling at temperature 1 is sampling that
codebook at 1 / factor: the finer codebooks sound best a little colder than they were trained.
Beyond the published layout there are the key `audio_encoder.filter_bank` in config.json and the
tensors `audio_encoder.filter_bank.{analysis,synthesis}.weight` [16, 1, 32]; without them the
folder is an ordinary checkpoint.
"""

import argparse
import json
import re
import shutil
import warnings
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from filterbank import bank_weights
from music.captions import examples
from shapes import Shape, transformers_config

GENERATION = {
    "do_sample": True, "guidance_scale": 3.0, "max_length": 1500, "top_k": 250, "temperature": 1.0,
}


def weight_norm(state: dict, prefix: str) -> dict:
    """Splits plain convolution weights into magnitude and direction, as published codecs store them."""
    out = {}
    for name, value in state.items():
        if name.endswith("conv.weight"):
            stem = f"{prefix}{name.removesuffix('weight')}parametrizations.weight."
            out[stem + "original0"] = value.flatten(1).norm(dim=1)[:, None, None].clone()
            out[stem + "original1"] = value.clone()
        else:
            out[prefix + name] = value.clone()
    return out


def random_state(shape: Shape, seed: int = 0) -> dict:
    """Every tensor of an untrained checkpoint, large enough to make activations visible."""
    from transformers import MusicgenForConditionalGeneration

    torch.manual_seed(seed)
    state = MusicgenForConditionalGeneration(transformers_config(shape)).state_dict()
    for name, value in state.items():
        if "codebook.embed" in name:
            value.normal_()
        elif "layer_norm.weight" in name:
            value.add_(0.1 * torch.randn_like(value))
    return state


def trained_state(work: Path, sharpen: tuple = ()) -> dict:
    """The tensors of `codec.safetensors` and `lm.safetensors` under their published names; heads times `sharpen`."""
    codec = load_file(work / "codec.safetensors")
    state = weight_norm(codec, "audio_encoder.")
    state.update(load_file(work / "lm.safetensors"))
    for codebook, factor in enumerate(sharpen):
        state[f"decoder.lm_heads.{codebook}.weight"] *= factor
    return state


def taught_words() -> list:
    """Every word a caption can hold, sorted; numbers left out."""
    found = {w for text in examples(20_000) for w in re.split(r"[^\w#]+", text.lower()) if w and not w.isnumeric()}
    return sorted(found)


def write(shape: Shape, state: dict, tokenizer: Path, folder: Path):
    """Writes the checkpoint folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config = transformers_config(shape)
    config.architectures = ["MusicgenForConditionalGeneration"]
    config.save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text())
    if "filter_bank" not in written["audio_encoder"]:
        written["audio_encoder"]["filter_bank"] = vars(shape.bank).copy()
        (folder / "config.json").write_text(json.dumps(written, indent=2))
    pad = shape.codec.codebook_size
    (folder / "generation_config.json").write_text(json.dumps(
        GENERATION | {"bos_token_id": pad, "pad_token_id": pad, "decoder_start_token_id": pad}, indent=2))
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    (folder / "words.txt").write_text("\n".join(taught_words()) + "\n")
    state = dict(state)
    bank = bank_weights(shape.bank.bands)
    state["audio_encoder.filter_bank.analysis.weight"] = bank
    state["audio_encoder.filter_bank.synthesis.weight"] = bank.clone()
    # T5 ties its two embedding names; published files keep the first.
    state.pop("text_encoder.encoder.embed_tokens.weight", None)
    state = {k: v.detach().float().contiguous() for k, v in state.items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    parser.add_argument("--random", action="store_true", help="untrained weights, for testing an importer")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sharpen", type=float, nargs="+", default=(), metavar="FACTOR", help="one for each codebook")
    arguments = parser.parse_args()
    tokenizer = arguments.work / "tokenizer.json"
    if not tokenizer.exists():
        raise SystemExit(f"{tokenizer} is missing: run train_tokenizer.py first")
    warnings.filterwarnings("ignore")
    shape = Shape()
    folder = arguments.out or arguments.work / ("checkpoint-random" if arguments.random else "checkpoint")
    state = random_state(shape) if arguments.random else trained_state(arguments.work, arguments.sharpen)
    write(shape, state, tokenizer, folder)
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{folder}: {len(state)} tensors, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
