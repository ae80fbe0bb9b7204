#!/usr/bin/env python3
"""Records how transformers goes on from audio with the checkpoints of `record_parity.py`, into `data/*/continued.safetensors`.

The audio is what `record_parity.py` had encoded; it is read with the prompt, by `generate(input_values=...)`, and codes are
chosen greedily, steered or not. The Rust tests compare codes with these; only whoever changes the recordings needs Python:

    pip install torch transformers tokenizers safetensors
    python models/tests/record_continuation.py [CHECKPOINT ...]
"""

import sys

import torch
from record_parity import CASES, DATA, FRAMES, GUIDANCE, MARGIN, PROMPT, greedy_codes
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import MusicgenForConditionalGeneration

# Frames of audio: fewer than there are delays, and more.
OPENINGS = (2, 12)
STEERED = ("plain", "residual_literal_both", "two_slots")


@torch.no_grad()
def record(name):
    folder = DATA / name / "checkpoint"
    model = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    model.generation_config.guidance_scale = GUIDANCE
    known = load_file(DATA / name / "expected.safetensors")
    ids = torch.tensor([Tokenizer.from_file(str(folder / "tokenizer.json")).encode(PROMPT).ids])
    directions = {site: {int(key.split(".")[1]): torch.nn.functional.normalize(value, dim=0)
                         for key, value in load_file(folder / "vectors" / f"{site}.safetensors").items()}
                  for site in ("residual", "attention")}
    out = {}
    for frames in OPENINGS:
        # The filter bank is Tiller's own: transformers is given the codes of what it encoded behind that.
        opening = ({"decoder_input_ids": known[f"encode.{frames}.codes"]} if name == "banded"
                   else {"input_values": known[f"encode.{frames}.audio"]})
        for case in STEERED:
            codes, margin = greedy_codes(model, CASES[case], directions, ids, **opening)
            print(name, frames, case, f"least margin {margin:.1e}", tuple(codes.shape),
                  "keeps the opening" if codes[:, :frames].equal(known[f"encode.{frames}.codes"]) else "changes it")
            assert margin >= MARGIN and codes.shape[1] == FRAMES
            out[f"{case}.{frames}.codes"] = codes.contiguous()
    save_file(out, DATA / name / "continued.safetensors")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or ("small", "gated", "banded", "stereo"):
        record(name)
