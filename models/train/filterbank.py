"""The fixed filter bank around the codec: a sine-window MDCT written as two convolutions.

`analysis` is a `Conv1d` weight [16, 1, 32] (stride 16, zero padding 8 each side), so N samples
become N / 16 frames of 16 bands; `synthesis` is the matching `ConvTranspose1d` weight. Their
composition is the identity, except within the first and last 8 samples of a clip. Both run in
float32 whatever surrounds them.
"""

import math

import torch
import torch.nn.functional as F


def bank_weights(bands: int = 16) -> torch.Tensor:
    """The orthonormal MDCT basis with a sine window, [bands, 1, 2 * bands]."""
    n = torch.arange(2 * bands, dtype=torch.float64)
    k = torch.arange(bands, dtype=torch.float64)[:, None]
    window = torch.sin(math.pi / (2 * bands) * (n + 0.5))
    basis = torch.cos(math.pi / bands * (n + 0.5 + bands / 2) * (k + 0.5))
    return (window * basis * math.sqrt(2 / bands)).float()[:, None, :]


def analyse(wave: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Samples [B, N] -> band frames [B, 16, N / 16]."""
    bands = weight.shape[0]
    with torch.autocast(wave.device.type, enabled=False):
        return F.conv1d(wave[:, None], weight, stride=bands, padding=bands // 2)


def synthesise(bands: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Band frames [B, 16, M] -> samples [B, 16 M]."""
    width = weight.shape[0]
    with torch.autocast(bands.device.type, enabled=False):
        return F.conv_transpose1d(bands, weight, stride=width, padding=width // 2)[:, 0]
