"""Distances between a clip and its reconstruction, both [B, N] at 32 kHz."""

from functools import cache

import librosa
import torch
import torch.nn.functional as F

WINDOWS = (2048, 1024, 512, 128)
FLOOR = 1e-3


def magnitude(wave: torch.Tensor, size: int) -> torch.Tensor:
    """STFT magnitude, scaled so that white noise of level r has magnitude about r; hop size / 4."""
    window = _window(size, wave.device)
    spectrum = torch.stft(wave, size, size // 4, window=window, return_complex=True)
    power = spectrum.real.square() + spectrum.imag.square()
    return (power / window.square().sum() + 1e-9).sqrt()


def waveform(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Squared error over the energy of the clip."""
    return ((x - y).square().sum(1) / x.square().sum(1).clamp(min=1e-3)).mean()


def spectral(x: torch.Tensor, y: torch.Tensor, windows: tuple = WINDOWS) -> tuple:
    """Mean spectral convergence, log-magnitude error and log-mel error over some windows."""
    convergence = log_error = mel_error = 0.0
    for size in windows:
        a, b = magnitude(x, size), magnitude(y, size)
        convergence = convergence + (torch.linalg.vector_norm(a - b, dim=(1, 2))
                                     / torch.linalg.vector_norm(a, dim=(1, 2)).clamp(min=1e-2)).mean()
        log_error = log_error + _log_difference(a, b, FLOOR)
        mel_error = mel_error + _log_difference(_mel(a, size), _mel(b, size), 5 * FLOOR)
    return convergence / len(windows), log_error / len(windows), mel_error / len(windows)


BANDS = {2048: 80, 1024: 64, 512: 40, 128: 12}  # mel bands that a window's bins can tell apart


def mel_distance(x: torch.Tensor, y: torch.Tensor, size: int = 2048) -> torch.Tensor:
    """Mean absolute difference of log mel spectrograms, in nats."""
    return _log_difference(*(_mel(magnitude(wave, size), size) for wave in (x, y)), 5 * FLOOR)


@cache
def _window(size: int, device: torch.device) -> torch.Tensor:
    return torch.hann_window(size, device=device)


@cache
def _filters(size: int, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(librosa.filters.mel(sr=32_000, n_fft=size, n_mels=BANDS[size], norm=None)).to(device)


def _mel(spectrum: torch.Tensor, size: int) -> torch.Tensor:
    return torch.einsum("mf,bft->bmt", _filters(size, spectrum.device), spectrum)


def _log_difference(a: torch.Tensor, b: torch.Tensor, floor: float) -> torch.Tensor:
    return F.l1_loss((b + floor).log(), (a + floor).log())


def si_sdr(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Scale-invariant signal-to-distortion ratio in dB, [B]."""
    target = (x * y).sum(1, keepdim=True) / x.square().sum(1, keepdim=True).clamp(min=1e-8) * x
    return 10 * torch.log10(target.square().sum(1) / (y - target).square().sum(1).clamp(min=1e-8))
