"""Clips of the product's command line, plain and steered, and what is heard in them."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librosa
import numpy as np
import soundfile
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from judges.meter import brightness, busyness
from report.listening import Listeners

FLOOR = 1e-3  # added to mel magnitudes: -60 dB


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean square of the difference of two log-mel spectrograms, in dB."""
    return float(np.sqrt(np.mean((a - b) ** 2)))


def look(file: Path, _banks) -> tuple:
    """(brightness, log-mel spectrogram in dB) of a WAV file."""
    wave, rate = soundfile.read(file, dtype="float32")
    mel = librosa.feature.melspectrogram(y=wave, sr=rate, n_fft=1024, hop_length=640, n_mels=48, power=1.0)
    return brightness(wave, rate), 20 * np.log10(mel / 100 + FLOOR)


class Clips:
    """Makes and hears clips of a bundle. `model` is the hash that vectors name it by."""

    def __init__(self, tiller: Path, bundle: Path, listeners: Listeners, seconds: float, scratch: Path, model: str):
        self.command = [str(tiller), "generate", "--quiet", "--threads", "1", "--bundle", str(bundle), "--seconds", f"{seconds:g}"]
        self.listeners, self.scratch, self.model, self.made = listeners, scratch, model, 0

    def steering(self, vector: Path | None, setting) -> list:
        """The command line's arguments; a vector file that acts at the setting's site and layers is made."""
        if vector is None:
            return []
        placed = self.scratch / f"{vector.stem}-{setting.site}-{setting.layers}.safetensors"
        if not placed.exists():
            with safe_open(vector, "np") as opened:
                metadata = opened.metadata()
            save_file(load_file(vector), placed, metadata=metadata | {
                "model": self.model, "sites": json.dumps([setting.site]), "layers": json.dumps(setting.indices)})
        return ["--steer", f"{placed}:{setting.strength}"]

    def generate(self, jobs: list) -> list:
        """Files of each (prompt, seeds, vector, setting), two processes at a time."""
        def one(job):
            (prompt, seeds, extra), place = job
            subprocess.run([*self.command, "--prompt", prompt, "--seed", str(seeds[0]), "--count", str(len(seeds)),
                            "--out", str(place), *extra], check=True, stdout=subprocess.DEVNULL)
            return [place / f"{seed}.wav" for seed in seeds]
        ready = []
        for prompt, seeds, vector, setting in jobs:
            self.made += 1
            ready.append(((prompt, seeds, self.steering(vector, setting)), self.scratch / str(self.made)))
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(one, ready))

    def measure(self, name: str, files: list, notes: bool = True) -> dict:
        """What is heard in WAV files of one length, as arrays by field; without `notes` only their timbre."""
        heard = self.listeners.listen(name, files, key=str(self.scratch)) if notes else self.listeners.listen_timbre(files)
        looked = self.listeners.each(look, files)
        heard |= {"bright": np.array([b for b, _ in looked]), "pictures": np.array([p for _, p in looked])}
        return heard | ({"busy": np.array([busyness(n) for n in heard["notes"]])} if notes else {})

    def hear(self, name: str, jobs: list, notes: bool) -> list:
        """For each job what is heard in its clips."""
        groups = self.generate(jobs)
        heard, first, out = self.measure(f"steered-{name}", [file for group in groups for file in group], notes), 0, []
        for group in groups:
            out.append({field: values[first:first + len(group)] for field, values in heard.items()})
            first += len(group)
        return out
