"""A cheap adversary: log-magnitude spectrograms at several window sizes, frequencies as channels.

Two-dimensional convolutions would cost more than the codec itself on a CPU; one-dimensional
ones over time see whole spectra (the timbre, the gaps between harmonics) for a tenth of that.
"""

import torch
import torch.nn.functional as F
from torch import nn

from losses import magnitude

SIZES = (2048, 1024, 512, 256)


class Listener(nn.Module):
    """One window size: [B, N] -> realness over time, and its hidden features."""

    def __init__(self, size: int, width: int = 128):
        super().__init__()
        self.size = size
        bins = size // 2 + 1
        self.layers = nn.ModuleList((
            nn.Conv1d(bins, width, 3, padding=1), nn.Conv1d(width, width, 5, stride=2, padding=2),
            nn.Conv1d(width, width, 5, stride=2, padding=2), nn.Conv1d(width, width, 3, padding=1)))
        self.head = nn.Conv1d(width, 1, 3, padding=1)

    def forward(self, wave):
        """Returns (score [B, 1, T], list of features)."""
        x = (magnitude(wave, self.size) + 1e-3).log() / 2 + 1.5
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.head(x), features


class Discriminator(nn.Module):
    """All listeners together."""

    def __init__(self):
        super().__init__()
        self.listeners = nn.ModuleList(Listener(s) for s in SIZES)

    def forward(self, wave, chosen=range(len(SIZES))):
        """A list of (score, features), one for each listener that is asked."""
        return [self.listeners[n](wave) for n in chosen]


def own_loss(real: list, fake: list) -> torch.Tensor:
    """Hinge loss of the discriminator."""
    return sum(F.relu(1 - r.float()).mean() + F.relu(1 + f.float()).mean() for (r, _), (f, _) in zip(real, fake)) / len(real)


def codec_losses(real: list, fake: list) -> tuple:
    """Hinge loss of the codec and the distance of the features, relative to their size."""
    adversarial = -sum(f.float().mean() for f, _ in fake) / len(fake)
    terms = [F.l1_loss(b.float(), a.detach().float()) / a.detach().float().abs().mean().clamp(min=1e-3)
             for (_, fa), (_, fb) in zip(real, fake) for a, b in zip(fa, fb)]
    return adversarial, sum(terms) / len(terms)
