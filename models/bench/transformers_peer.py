#!/usr/bin/env python3
"""Times transformers' MusicGen on a checkpoint, as `tiller bench --positions` times Tiller on the bundle made from it.

A step is what `generate` does for one: both rows of guidance through the model with its cache, guidance, top-k sampling
and the delay pattern's shift. Positions before the timed ones are filled in one pass, which `generate` could not do, but
the timed steps find the same cache. Prints one JSON object for each number format.

    python models/bench/transformers_peer.py CHECKPOINT --device cuda --dtypes float16,bfloat16,float32
"""

import argparse
import json
import time
from pathlib import Path

import torch
import transformers
from transformers import MusicgenForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

GUIDANCE = 3.0
TOP_K = 250
# Tokens of the prompt: "a calm flute melody over soft drums" with its end.
TEXT = 8
# Steps that are not timed.
WARM_UP = 5


def synchronise(device):
    if device == "cuda":
        torch.cuda.synchronize()


def draw(logits, codebooks):
    """Tokens `[K, 1]` of guided logits `[2 * K, 1, V]`, the conditional row's first."""
    conditional, unconditional = logits[:, -1].float().reshape(2, codebooks, -1)
    scores = unconditional + (conditional - unconditional) * GUIDANCE
    best, where = scores.topk(TOP_K, dim=-1)
    return where.gather(1, torch.multinomial(best.softmax(dim=-1), 1))


@torch.inference_mode()
def steps(model, device, position, count):
    """Milliseconds of each of `count` steps from `position` on."""
    decoder = model.config.decoder
    codebooks = decoder.num_codebooks
    states = torch.randn(1, TEXT, model.config.text_encoder.d_model, device=device, dtype=model.dtype)
    states = torch.cat([states, torch.zeros_like(states)])
    mask = torch.ones(2, TEXT, dtype=torch.long, device=device)
    mask[1] = 0
    encoded = BaseModelOutput(last_hidden_state=states)
    tokens = torch.randint(0, decoder.vocab_size, (codebooks, position), device=device)
    past, times = None, []
    for step in range(1 + WARM_UP + count):
        synchronise(device)
        started = time.perf_counter()
        out = model(encoder_outputs=encoded, attention_mask=mask, decoder_input_ids=tokens.repeat(2, 1),
                    past_key_values=past, use_cache=True)
        past = out.past_key_values
        drawn = draw(out.logits[:, -1:], codebooks)
        # The delay pattern: a codebook that has not begun reads the pad token.
        begun = torch.arange(codebooks, device=device)[:, None] <= position + step
        tokens = torch.where(begun, drawn, decoder.vocab_size)
        synchronise(device)
        if step > WARM_UP:
            times.append((time.perf_counter() - started) * 1e3)
    return sorted(times)


@torch.inference_mode()
def codec(model, device, seconds=10):
    """How many times faster than real time codes become audio."""
    config = model.config.audio_encoder
    frames = seconds * config.sampling_rate // config.hop_length
    codes = torch.randint(0, config.codebook_size, (1, 1, model.config.decoder.num_codebooks, frames), device=device)
    took = []
    for _ in range(3):
        synchronise(device)
        started = time.perf_counter()
        model.audio_encoder.decode(codes, [None]).audio_values.cpu()
        took.append(time.perf_counter() - started)
    return seconds / min(took)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtypes", default="float32", help="float32, float16 or bfloat16, separated by commas")
    parser.add_argument("--positions", default="50,500,1500")
    parser.add_argument("--steps", type=int, default=50, help="steps timed at each position")
    parser.add_argument("--threads", type=int, help="of the processor; by default PyTorch's choice")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    for dtype in arguments.dtypes.split(","):
        model = MusicgenForConditionalGeneration.from_pretrained(arguments.checkpoint, dtype=getattr(torch, dtype))
        model = model.eval().to(arguments.device)
        entries = []
        for position in map(int, arguments.positions.split(",")):
            times = steps(model, arguments.device, position, arguments.steps)
            tenth, median, ninetieth = (times[len(times) * part // 10] for part in (1, 5, 9))
            entries.append({"position": position, "median": median, "tenth": tenth, "ninetieth": ninetieth})
        print(json.dumps({
            "program": f"transformers {transformers.__version__}, torch {torch.__version__}",
            "device": torch.cuda.get_device_name() if arguments.device == "cuda" else "cpu",
            "dtype": dtype,
            "attention": model.decoder.config._attn_implementation,
            "step_milliseconds": entries,
            "codec_real_time_factor": codec(model, arguments.device),
        }), flush=True)
        del model


if __name__ == "__main__":
    main()
