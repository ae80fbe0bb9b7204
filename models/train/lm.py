"""The language model: T5 encoder, projection and MusicGen's decoder, in plain torch.

Same arithmetic and same parameter names as transformers' `MusicgenForConditionalGeneration`
(`tests/test_lm.py` compares the logits), without its generality, so that it trains faster.
Hooks for steering are built in: see `Steering`.
"""

import functools
import math
import warnings

import torch
import torch.nn.functional as F
from torch import nn

from shapes import Shape, transformers_config


def positions(count: int, width: int) -> torch.Tensor:
    """MusicGen's sinusoidal positions, cosines first, [count, width]."""
    half = width // 2
    rate = torch.exp(torch.arange(half) * -(math.log(10_000) / (half - 1)))
    angle = torch.arange(count)[:, None] * rate[None]
    return torch.cat([angle.cos(), angle.sin()], 1)


@functools.cache
def _causal(length: int, dtype: torch.dtype) -> torch.Tensor:
    """Additive mask hiding the future, [length, length]."""
    return torch.full((length, length), -1e9, dtype=dtype).triu(1)


class Attention(nn.Module):
    """Multi-head attention without biases."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            setattr(self, name, nn.Linear(width, width, bias=False))

    def split(self, x):
        """[B, S, D] -> [B, heads, S, D / heads]."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, x, keys, values, mask=None, causal=False):
        """Attends from x [B, S, D]; keys and values are already split."""
        q = self.split(self.q_proj(x))
        if x.is_cuda:
            # A causal mask of more queries than one; `mask` is of the cross-attention, which has no other.
            out = F.scaled_dot_product_attention(q, keys, values, mask, is_causal=causal)
            return self.out_proj(out.transpose(1, 2).flatten(2))
        # Plain products: on a CPU in bfloat16 several times faster than torch's fused attention.
        scores = (q * q.shape[-1] ** -0.5) @ keys.transpose(2, 3)
        if causal:
            scores = scores + _causal(x.shape[1], scores.dtype)
        if mask is not None:
            scores = scores + mask
        out = torch.softmax(scores, -1, dtype=scores.dtype) @ values
        return self.out_proj(out.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Self-attention, cross-attention, feed-forward; each pre-normed and added."""

    def __init__(self, width: int, heads: int, inner: int):
        super().__init__()
        self.self_attn, self.encoder_attn = Attention(width, heads), Attention(width, heads)
        self.self_attn_layer_norm, self.encoder_attn_layer_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.final_layer_norm = nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, inner, bias=False), nn.Linear(inner, width, bias=False)

    def forward(self, x, cross, cross_mask, cache=None, steer=None):
        """`cross` holds split keys and values; `cache` a dict with past "k", "v"; `steer(site, h)` edits."""
        normed = self.self_attn_layer_norm(x)
        a = self.self_attn
        k, v = a.split(a.k_proj(normed)), a.split(a.v_proj(normed))
        if cache is not None:
            if "k" in cache:
                k, v = torch.cat([cache["k"], k], 2), torch.cat([cache["v"], v], 2)
            cache["k"], cache["v"] = k, v
        attended = a(normed, k, v, causal=x.shape[1] > 1)
        if steer:
            attended = steer("attention", attended)
        x = x + attended
        x = x + self.encoder_attn(self.encoder_attn_layer_norm(x), *cross, mask=cross_mask)
        x = x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))
        return steer("residual", x) if steer else x


class Decoder(nn.Module):
    """Codes with delay [B, K, S] -> logits [B, K, S, V]."""

    def __init__(self, shape: Shape):
        super().__init__()
        d, c = shape.decoder, shape.codec
        self.embed_tokens = nn.ModuleList(nn.Embedding(c.codebook_size + 1, d.width) for _ in range(c.codebooks))
        self.layers = nn.ModuleList(Layer(d.width, d.heads, d.feed_forward) for _ in range(d.layers))
        self.layer_norm = nn.LayerNorm(d.width)
        self.lm_heads = nn.ModuleList(nn.Linear(d.width, c.codebook_size, bias=False) for _ in range(c.codebooks))
        self.register_buffer("positions", positions(d.positions, d.width), persistent=False)

    def forward(self, ids, text, mask, caches=None, steer=None, past=0, hidden=False):
        """`text` [B, T, D] and `mask` [B, T] (0 = padding); `steer(layer)` gives a layer's editor."""
        x = sum(e(ids[:, k]) for k, e in enumerate(self.embed_tokens))
        x = x + self.positions[past:past + ids.shape[2]]
        # A row without any text attends to zeros, which is what "unconditional" means here.
        bias = torch.where((mask == 0) & (mask.sum(1, keepdim=True) > 0), -1e9, 0.0)[:, None, None, :].to(text.dtype)
        for n, layer in enumerate(self.layers):
            a = layer.encoder_attn
            if caches is not None and "cross" in caches[n]:
                cross = caches[n]["cross"]
            else:
                cross = (a.split(a.k_proj(text)), a.split(a.v_proj(text)))
                if caches is not None:
                    caches[n]["cross"] = cross
            x = layer(x, cross, bias.to(cross[0].dtype), None if caches is None else caches[n],
                      steer(n) if steer else None)
        x = self.layer_norm(x)
        return x if hidden else torch.stack([head(x) for head in self.lm_heads], 1)


class LanguageModel(nn.Module):
    """Text encoder, projection and decoder."""

    def __init__(self, shape: Shape):
        super().__init__()
        warnings.filterwarnings("ignore")
        from transformers import T5EncoderModel

        self.shape = shape
        self.text_encoder = T5EncoderModel(transformers_config(shape).text_encoder)
        self.enc_to_dec_proj = nn.Linear(shape.text.width, shape.decoder.width)
        self.decoder = Decoder(shape)
        for p in self.decoder.parameters():
            if p.ndim > 1:
                nn.init.normal_(p, std=0.02)

    def condition(self, text_ids, mask):
        """Token ids [B, T] and mask -> conditioning [B, T, D]; a row of zero mask becomes all zero."""
        states = self.text_encoder(input_ids=text_ids, attention_mask=mask.clamp(min=0)).last_hidden_state
        return self.enc_to_dec_proj(states) * mask[..., None].to(states.dtype)

    def published_state(self) -> dict:
        """Weights under MusicGen's names."""
        out = {}
        for name, value in self.state_dict().items():
            if name.startswith("decoder.lm_heads.") or not name.startswith("decoder."):
                out[name] = value.detach().clone()
            else:
                out["decoder.model." + name] = value.detach().clone()
        out.pop("text_encoder.encoder.embed_tokens.weight", None)
        return out

    def load_published(self, state: dict):
        """Inverse of `published_state`; ignores the codec's tensors."""
        own = {k.replace("decoder.model.decoder.", "decoder."): v for k, v in state.items()
               if not k.startswith("audio_encoder.")}
        own["text_encoder.encoder.embed_tokens.weight"] = own["text_encoder.shared.weight"]
        self.load_state_dict(own)


def delayed(codes: torch.Tensor, pad: int) -> tuple:
    """Codes [B, K, T] -> decoder input and targets, both [B, K, T + K - 1]; targets of -100 are ignored."""
    batch, books, frames = codes.shape
    steps = frames + books - 1
    target = torch.full((batch, books, steps), -100, dtype=torch.long, device=codes.device)
    for k in range(books):
        target[:, k, k:k + frames] = codes[:, k]
    ids = torch.full_like(target, pad)
    ids[:, :, 1:] = torch.where(target[:, :, :-1] < 0, pad, target[:, :, :-1])
    return ids, target
