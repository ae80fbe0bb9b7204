"""Samples codes in torch: for checking the model while it trains, and for testing steering.

The product generates through ONNX; this is only the recipe's own ear.
"""

from dataclasses import dataclass

import torch

from lm import LanguageModel


@dataclass
class Steering:
    """h <- (h + a ||h|| r) / (1 + |a|) on the conditional rows of the chosen layers.

    `directions` [L, D] unit vectors, or [B, L, D] with one set a clip.
    """

    directions: torch.Tensor
    strength: float
    layers: tuple
    site: str = "residual"

    def editor(self, layer: int, rows: int):
        """The function a decoder layer calls; `rows` conditional rows come first."""
        if layer not in self.layers:
            return None
        r = self.directions[..., layer, :]
        r = r[:, None, :] if r.ndim == 2 else r

        def edit(site, h):
            if site != self.site:
                return h
            c = h[:rows]
            c = (c + self.strength * c.norm(dim=-1, keepdim=True) * r) / (1 + abs(self.strength))
            return torch.cat([c, h[rows:]])

        return edit


@torch.no_grad()
def generate(model: LanguageModel, prompts: list, tokenizer, frames: int, seed: int, guidance: float = 3.0,
             temperature: float = 1.0, top_k: int = 250, steering: Steering | None = None) -> torch.Tensor:
    """Codes [B, K, frames] for a batch of prompts; steps run in float32 with a growing cache."""
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    books, pad, rows = model.shape.codec.codebooks, model.shape.codec.codebook_size, len(prompts)
    tokens = [e.ids for e in tokenizer.encode_batch(prompts)]
    width = max(map(len, tokens))
    text = torch.zeros(2 * rows, width, dtype=torch.long)
    mask = torch.zeros_like(text)
    for n, ids in enumerate(tokens):
        text[n, :len(ids)] = torch.tensor(ids)
        mask[n, :len(ids)] = int(bool(prompts[n]))
    condition = model.condition(text, mask)
    caches = [{} for _ in model.decoder.layers]
    editor = (lambda layer: steering.editor(layer, rows)) if steering else None
    steps = frames + books - 1
    out = torch.full((rows, books, steps + 1), pad)
    for t in range(steps):
        ids = out[:, :, t:t + 1].repeat(2, 1, 1)
        logits = model.decoder(ids, condition, mask, caches, editor, past=t)[:, :, 0]
        conditional, free = logits.chunk(2)
        logits = (free + guidance * (conditional - free)) / max(temperature, 1e-6)
        floor = logits.topk(min(top_k, logits.shape[-1])).values[..., -1:]
        chances = logits.masked_fill(logits < floor, -torch.inf).softmax(-1)
        picks = torch.multinomial(chances.flatten(0, 1), 1, generator=generator).view(rows, books)
        for k in range(books):
            if k <= t < k + frames:
                out[:, k, t + 1] = picks[:, k]
    return torch.stack([out[:, k, 1 + k:1 + k + frames] for k in range(books)], 1)
