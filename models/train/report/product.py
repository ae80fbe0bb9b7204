"""The product's own command line: everything that is judged went through it and through the bundle."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path


class Product:
    """`tiller` with a bundle."""

    def __init__(self, tiller: Path, bundle: Path):
        self.tiller, self.bundle = tiller, bundle
        if not (bundle / "bundle.json").exists():
            raise SystemExit(f"{bundle} is no bundle: name a folder with bundle.json")
        self.id = sha256((bundle / "bundle.json").read_bytes()).hexdigest()
        self.manifest = json.loads((bundle / "bundle.json").read_text())

    def _run(self, command: str, *arguments) -> str:
        done = subprocess.run([str(self.tiller), command, "--bundle", str(self.bundle), *map(str, arguments)],
                              stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(f"`tiller {command}` failed; its own sentence is above")
        return done.stdout

    def generate(self, prompts: list, seeds: int, seconds: float, folder: Path) -> list:
        """`seeds` clips of each prompt, two prompts at a time: for each prompt the list of WAV files."""
        def one(prompt: str) -> list:
            place = folder / sha256(f"{prompt} {seconds}".encode()).hexdigest()[:12]
            files = [place / f"{seed}.wav" for seed in range(seeds)]
            missing = [seed for seed, file in enumerate(files) if not file.exists()]
            if missing:
                print(f"generating {len(missing)} clips: {prompt}", flush=True)
                self._run("generate", "--quiet", "--threads", 1, "--prompt", prompt, "--seconds", seconds,
                          "--seed", missing[0], "--count", seeds - missing[0], "--out", place)
            return files
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(one, prompts))

    def round_trip(self, waves: list, folder: Path) -> tuple:
        """WAV files through the codec: (files of codes, decoded WAV files)."""
        codes = [folder / f"{wave.stem}.json" for wave in waves]
        decoded = [folder / f"{wave.stem}.wav" for wave in waves]
        if not all(file.exists() for file in decoded):
            print(f"{len(waves)} clips through the codec", flush=True)
            self._run("encode", "--quiet", "--out", folder, *waves)
            self._run("decode", "--quiet", "--out", folder, *codes)
        return codes, decoded

    def speed(self) -> dict:
        """What `tiller bench` measures, on two threads."""
        return json.loads(self._run("bench", "--json", "--threads", 2))
