"""The codec: held-out clips before and after it, by waveform, by spectrum, and as the judges hear them."""

import json
from pathlib import Path

import librosa
import numpy as np
import soundfile

from music.bank import RATE
from saving import replace

from .listening import Listeners
from .product import Product
from .statistics import auc, figure, median
from .validation import Judges, of_kind

WINDOWS = (512, 1_024, 2_048)
FLOOR = 1e-5


def si_sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio in dB, capped at 100."""
    r, e = reference - reference.mean(), estimate - estimate.mean()
    target = (r @ e) / (r @ r + 1e-12) * r
    return float(min(10 * np.log10(target @ target / ((e - target) @ (e - target) + 1e-12) + 1e-12), 100.0))


def mel_distance(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Mean difference of log-mel magnitudes in nats, over windows of 512, 1,024 and 2,048 samples."""
    def logs(wave, window):
        mel = librosa.feature.melspectrogram(y=wave, sr=RATE, n_fft=window, hop_length=window // 4, n_mels=window // 16,
                                             power=1)
        return np.log(mel + FLOOR)
    return float(np.mean([np.abs(logs(reference, w) - logs(estimate, w)).mean() for w in WINDOWS]))


def spectral_distance(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Log-spectral distance in dB: root mean square over frequency, mean over time, of spectra above -70 dB."""
    a, b = (np.abs(librosa.stft(wave, n_fft=2_048)) for wave in (reference, estimate))
    floor = a.max() * 10 ** (-70 / 20)
    difference = 20 * np.log10(np.maximum(a, floor) / np.maximum(b, floor))
    return float(np.sqrt((difference ** 2).mean(0)).mean())


def _compare(files: tuple, _) -> tuple:
    a, b = (soundfile.read(file, dtype="float32")[0] for file in files)
    b = b[:len(a)]
    return si_sdr(a, b), mel_distance(a, b), spectral_distance(a, b)


def _write(job: tuple, banks: dict):
    clip, path = job
    wave = clip.wave(banks)
    replace(path, lambda partial: soundfile.write(partial, wave, RATE, subtype="FLOAT", format="WAV"))


def ratio(raw: np.ndarray, decoded: np.ndarray, own: np.ndarray) -> list:
    """Bootstrap interval of the decoded clips' area under the curve over the raw clips'."""
    rng, yes, no, out = np.random.default_rng(1), np.flatnonzero(own), np.flatnonzero(~own), []
    for _ in range(200):
        y, n = rng.choice(yes, len(yes)), rng.choice(no, len(no))
        out.append(auc(decoded[y], decoded[n]) / auc(raw[y], raw[n]))
    return np.percentile(out, [2.5, 97.5]).tolist()


def measure(product: Product, listeners: Listeners, judges: Judges, heard: dict, work: Path) -> dict:
    """Every figure of the codec, by set: seen and unseen fonts."""
    result, used = {}, None
    for name, (clips, _, raw) in heard.items():
        version = listeners.sources[:12]
        before, after = work / f"raw-{name}-{version}", work / f"decoded-{name}-{version}-{product.id[:12]}"
        for folder in (before, after):
            folder.mkdir(parents=True, exist_ok=True)
        waves = [before / f"{clip.kind}-{clip.seed}.wav" for clip in clips]
        listeners.each(_write, [(c, w) for c, w in zip(clips, waves) if not w.exists()])
        codes, decoded = product.round_trip(waves, after)
        tags = listeners.listen(f"{name}-decoded", [str(file) for file in decoded])["tags"]
        distances = np.array(listeners.each(_compare, list(zip(waves, decoded))))
        solo, labels = of_kind(clips, "solo")
        entry = {"si_sdr": median(distances[solo, 0]), "si_sdr_bands": median(np.delete(distances[:, 0], solo)),
                 "mel": figure([distances[:, 1]]), "log_spectral": figure([distances[:, 2]])}
        for kind, what in (("solo", "instruments"), ("band", "styles")):
            rows, labels = of_kind(clips, kind)
            probe, labels = getattr(judges, what), np.array(labels)
            a, b = probe.scores(raw["tags"][rows]), probe.scores(tags[rows])
            entry[what] = {}
            for k, c in enumerate(probe.classes):
                own = labels == c
                row = {"raw": auc(a[own, k], a[~own, k]), "decoded": auc(b[own, k], b[~own, k]),
                       "hits": float((b[own].argmax(1) == k).mean()), "si_sdr": float(np.median(distances[rows, 0][own]))}
                row |= {"ratio": row["decoded"] / row["raw"], "interval": ratio(a[:, k], b[:, k], own)}
                entry[what][c] = row
        result[name] = entry
        if name == "seen":
            used = np.concatenate([np.array(json.loads(file.read_text())["codes"]) for file in codes], 1)
            result["examples"] = {clips[n].label: (str(waves[n]), str(decoded[n])) for n in solo}
            result["all"] = list(zip(waves, decoded))
    size = product.manifest["architecture"]["vocabulary"]
    result["codebooks"] = [{"used": len(np.unique(row)) / size,
                            "perplexity": float(np.exp(_entropy(np.bincount(row, minlength=size))))} for row in used]
    result["codebook_size"], result["frames"] = size, used.shape[1]
    return result


def _entropy(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
