#!/usr/bin/env python3
"""Times transformers' MusicGen on a checkpoint, as `tiller bench` times Tiller on the bundle made from it.

A step is what `generate` does for one: both rows of guidance through the model with its cache, guidance, top-k sampling
and the delay pattern's shift. Positions before the timed ones are filled in one pass, which `generate` could not do, but
the timed steps find the same cache. Prints one JSON object for each number format.

    python models/bench/transformers_peer.py CHECKPOINT --device cuda --dtypes float16,bfloat16,float32

With --worker it answers questions, a line of JSON each, as `tiller bench --worker` does (`cargo xtask bench`).
"""

import argparse
import json
import sys
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
    """Tokens `[takes * K, 1]` of guided logits `[2 * takes * K, 1, V]`, the conditional rows first."""
    conditional, unconditional = logits[:, -1].float().chunk(2)
    scores = unconditional + (conditional - unconditional) * GUIDANCE
    best, where = scores.topk(TOP_K, dim=-1)
    return where.gather(1, torch.multinomial(best.softmax(dim=-1), 1))


class Standing:
    """Takes in one batch whose cache is filled up to a position."""

    @torch.inference_mode()
    def __init__(self, model, device, position, takes=1):
        decoder = model.config.decoder
        self.model, self.device, self.position = model, device, position
        self.codebooks, self.pad = decoder.num_codebooks, decoder.vocab_size
        states = torch.randn(takes, TEXT, model.config.text_encoder.d_model, device=device, dtype=model.dtype)
        self.encoded = BaseModelOutput(last_hidden_state=torch.cat([states, torch.zeros_like(states)]))
        self.mask = torch.ones(2 * takes, TEXT, dtype=torch.long, device=device)
        self.mask[takes:] = 0
        self.tokens = torch.randint(0, self.pad, (takes * self.codebooks, position), device=device)
        self.past, self.taken = None, 0
        self.step()

    @torch.inference_mode()
    def step(self):
        out = self.model(encoder_outputs=self.encoded, attention_mask=self.mask,
                         decoder_input_ids=self.tokens.repeat(2, 1), past_key_values=self.past, use_cache=True)
        self.past = out.past_key_values
        drawn = draw(out.logits[:, -1:], self.codebooks)
        # The delay pattern: a codebook that has not begun reads the pad token.
        begun = torch.arange(self.codebooks, device=self.device).repeat(len(drawn) // self.codebooks)[:, None]
        self.tokens = torch.where(begun <= self.position + self.taken, drawn, self.pad)
        self.taken += 1

    def timed(self, count, warm_up):
        """Milliseconds of each of `count` steps from the position on."""
        times = []
        for step in range(warm_up + count):
            synchronise(self.device)
            started = time.perf_counter()
            self.step()
            synchronise(self.device)
            if step >= warm_up:
                times.append((time.perf_counter() - started) * 1e3)
        # Negative: that many positions go. transformers 5.23 refuses the length that is to stay.
        self.past.crop(-len(times) - warm_up)
        self.taken = 1
        return times


@torch.inference_mode()
def decode(model, device, seconds):
    """Seconds in which codes become `seconds` of audio."""
    config = model.config.audio_encoder
    frames = round(seconds * config.sampling_rate / config.hop_length)
    codes = torch.randint(0, config.codebook_size, (1, 1, model.config.decoder.num_codebooks, frames), device=device)
    synchronise(device)
    started = time.perf_counter()
    model.audio_encoder.decode(codes, [None]).audio_values.cpu()
    return time.perf_counter() - started


class Worker:
    """Answers `tiller bench --worker`'s questions."""

    def __init__(self, arguments):
        self.arguments, self.standing = arguments, {}
        started = time.perf_counter()
        self.model = load(arguments, arguments.dtypes)
        self.loading = time.perf_counter() - started

    def about(self):
        decoder = self.model.decoder
        # A step takes a few rows of the embeddings, and has the prompt's keys and values already.
        left = ("embed_tokens", "encoder_attn.k_proj", "encoder_attn.v_proj")
        read = sum(weight.nbytes for name, weight in decoder.named_parameters()
                   if not any(part in name for part in left))
        config = self.model.config.decoder
        row = 2 * config.num_hidden_layers * config.hidden_size * self.model.dtype.itemsize
        return {"program": f"transformers {transformers.__version__}, torch {torch.__version__}",
                "precision": self.arguments.dtypes, "weight_bytes_per_step": read, "bytes_per_position": 2 * row}

    def step(self, position, takes, steps):
        if (position, takes) not in self.standing:
            self.standing[position, takes] = Standing(self.model, self.arguments.device, position, takes)
        return {"milliseconds": self.standing[position, takes].timed(steps, warm_up=1)}

    def codec(self, seconds):
        return {"seconds": decode(self.model, self.arguments.device, seconds)}

    @torch.inference_mode()
    def take(self, seconds):
        started = time.perf_counter()
        config = self.model.config.audio_encoder
        frames = round(seconds * config.sampling_rate / config.hop_length)
        ids = torch.arange(3, 3 + TEXT, device=self.arguments.device)[None]
        self.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=True, top_k=TOP_K,
                            guidance_scale=GUIDANCE, max_new_tokens=frames + self.model.config.decoder.num_codebooks)
        whole = time.perf_counter() - started
        # All of the audio comes at the end.
        return {"loading_seconds": self.loading, "first_audio_seconds": whole, "seconds": whole}

    def idle(self, seconds):
        before = time.process_time()
        time.sleep(seconds)
        return {"processor_seconds": time.process_time() - before}

    def memory(self):
        status = Path("/proc/self/status").read_text().splitlines()
        peak = next(line for line in status if line.startswith("VmHWM:"))
        return {"peak_megabytes": int(peak.split()[1]) / 1e3}

    def run(self):
        known = {"about", "step", "codec", "take", "idle", "memory"}
        for line in sys.stdin:
            question = json.loads(line)
            measure = question.pop("measure")
            try:
                if measure not in known:
                    raise ValueError(f"{measure} is not measured here")
                answer = getattr(self, measure)(**question)
            except Exception as error:  # The next question may well be answered.
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)


def load(arguments, dtype):
    model = MusicgenForConditionalGeneration.from_pretrained(arguments.checkpoint, dtype=getattr(torch, dtype))
    return model.eval().to(arguments.device)


def once(arguments):
    """Measures everything for each number format and prints it."""
    for dtype in arguments.dtypes.split(","):
        model = load(arguments, dtype)
        entries = []
        for position in map(int, arguments.positions.split(",")):
            times = sorted(Standing(model, arguments.device, position).timed(arguments.steps, WARM_UP))
            tenth, median, ninetieth = (times[len(times) * part // 10] for part in (1, 5, 9))
            entries.append({"position": position, "median": median, "tenth": tenth, "ninetieth": ninetieth})
        print(json.dumps({
            "program": f"transformers {transformers.__version__}, torch {torch.__version__}",
            "device": torch.cuda.get_device_name() if arguments.device == "cuda" else "cpu",
            "dtype": dtype,
            "attention": model.decoder.config._attn_implementation,
            "step_milliseconds": entries,
            "codec_real_time_factor": 10 / min(decode(model, arguments.device, 10) for _ in range(3)),
        }), flush=True)
        del model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtypes", default="float32",
                        help="float32, float16 or bfloat16, separated by commas; one with --worker")
    parser.add_argument("--positions", default="50,500,1500")
    parser.add_argument("--steps", type=int, default=50, help="steps timed at each position")
    parser.add_argument("--threads", type=int, help="of the processor; by default PyTorch's choice")
    parser.add_argument("--worker", action="store_true", help="answer questions from the standard input")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    Worker(arguments).run() if arguments.worker else once(arguments)


if __name__ == "__main__":
    main()
