"""The codec: EnCodec exactly as transformers runs it, between the two halves of the filter bank.

Weights are kept plain while training (no weight norm); `export_checkpoint` splits them.
"""

import warnings

import torch
from torch import nn
from transformers.models.encodec.modeling_encodec import EncodecLSTM

from filterbank import analyse, bank_weights, synthesise
from quantiser import Quantiser
from shapes import Shape, transformers_config


def _in_float32(forward):
    """Latents reach 4e5; mixed precision on CUDA runs an LSTM in float16, whatever it was asked for, and that ends at 65504."""
    def run(h):
        with torch.autocast("cuda", enabled=False):
            return forward(h.float())
    return run


class Codec(nn.Module):
    """Samples [B, N] <-> latents [B, D, N / 640] <-> codes [B * T, Q]; N a multiple of 640."""

    def __init__(self, shape: Shape):
        super().__init__()
        warnings.filterwarnings("ignore")
        from transformers import EncodecModel

        model = EncodecModel(transformers_config(shape).audio_encoder)
        for module in model.modules():
            if isinstance(module, nn.Conv1d | nn.ConvTranspose1d) and nn.utils.parametrize.is_parametrized(module):
                nn.utils.parametrize.remove_parametrizations(module, "weight")
        self.encoder, self.decoder = model.encoder, model.decoder
        self.register_buffer("bank", bank_weights(shape.bank.bands), persistent=False)
        c = shape.codec
        self.quantiser = Quantiser(c.codebooks, c.codebook_size, c.latent)
        self.hop = c.ratios[0] * c.ratios[1] * shape.bank.hop

    def on(self, device: torch.device | str):
        """Moves everything; returns itself."""
        self.to(device).quantiser.to(device)
        # transformers computes paddings from these with tensors: on a GPU each layer would wait for an answer.
        for module in self.modules():
            for name in ("stride", "kernel_size", "padding_total"):
                if isinstance(getattr(module, name, None), torch.Tensor):
                    setattr(module, name, getattr(module, name).cpu())
        if torch.device(device).type == "cuda":
            for module in self.modules():
                if isinstance(module, EncodecLSTM):
                    module.forward = _in_float32(module.forward)
        return self

    def encode(self, wave: torch.Tensor) -> torch.Tensor:
        """Samples -> latents."""
        return self.encoder(analyse(wave, self.bank) * SCALE)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Latents -> samples."""
        return synthesise(self.decoder(latent).float(), self.bank) / SCALE

    def published_state(self) -> dict:
        """The weights under the names EnCodec checkpoints use, plain convolutions.

        `SCALE` is folded into the first and last convolution here.
        """
        state = {k: v.detach().clone() for k, v in self.state_dict().items()}
        state["encoder.layers.0.conv.weight"] *= SCALE
        last = f"decoder.layers.{len(self.decoder.layers) - 1}.conv."
        for name in ("weight", "bias"):
            state[last + name] /= SCALE
        for q, book in enumerate(self.quantiser.books):
            stem = f"quantizer.layers.{q}.codebook."
            state[stem + "embed"] = book.clone()
            state[stem + "embed_avg"] = self.quantiser.sums[q].clone()
            state[stem + "cluster_size"] = self.quantiser.mass[q].clone()
            state[stem + "inited"] = torch.ones(1)
        return state

    def load_published(self, state: dict):
        """Inverse of `published_state`."""
        state = {k: v.clone() for k, v in state.items()}
        state["encoder.layers.0.conv.weight"] /= SCALE
        last = f"decoder.layers.{len(self.decoder.layers) - 1}.conv."
        for name in ("weight", "bias"):
            state[last + name] *= SCALE
        for q in range(len(self.quantiser.books)):
            stem = f"quantizer.layers.{q}.codebook."
            self.quantiser.books[q] = state.pop(stem + "embed")
            self.quantiser.sums[q] = state.pop(stem + "embed_avg")
            self.quantiser.mass[q] = state.pop(stem + "cluster_size")
            state.pop(stem + "inited")
        self.quantiser.ready = True
        self.load_state_dict(state)


# Clips are levelled to a root mean square of 0.12; the network likes about 1.
SCALE = 8.0
