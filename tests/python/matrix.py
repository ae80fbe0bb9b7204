"""The host matrix: the same project in every host, rate and block size, bounced three times: `matrix.py TILLER.vst3 FOLDER`.

The folder is the one `host-matrix` wrote: the project's state, what it is to sound like, and the CLAP's part of the table.
Every host here runs in a process of its own (`matrix.py TILLER.vst3 FOLDER HOST`), so that each is also a test of what
another process makes of the project. Prints the table, and a last line in the form of Rust's test runner.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import vst3_preset
from common import WARM_UP

RATES = [44_100, 48_000, 96_000]
BLOCKS = ["16", "64", "512", "8192", "random"]
BOUNCES = ["first", "second", "reload"]
#: Length of the song in seconds.
SECONDS = 2.0
#: Longest one host may take, in seconds, on a slow and busy machine.
LIMIT = 400

LEGEND = """
Three marks a cell: the first bounce after opening the project, a second one, one after saving and loading it.
=  the reference to the byte     ~S  to the byte from S seconds on; before, music was missed and counted
x  it differs up to S seconds    -   the host cannot choose this block size"""


def reference(folder: Path, kind: str, rate: int) -> np.ndarray:
    return np.fromfile(folder / f"{kind}-{rate}.f32", "<f4").reshape(-1, 2).T


def verdict(audio: np.ndarray, wanted: np.ndarray, rate: int, may_miss: float = 0.0) -> str:
    length = min(audio.shape[1], wanted.shape[1])
    differing = np.flatnonzero((audio[:, :length] != wanted[:, :length]).any(axis=0))
    if audio.shape[1] < wanted.shape[1]:
        return f"x{length / rate:.2f}"
    if not differing.size:
        return "="
    until = (differing[-1] + 1) / rate
    return f"{'~' if until <= may_miss else 'x'}{until:.2f}"


def known(rate: int, block: int) -> float:
    """How many seconds ahead a host that fetches faster than real time is known, as `host-matrix` has it."""
    return max(0.5, 3 * block / rate) + 2 * block / rate


def pedalboard_cells(plugin: str, folder: Path):
    """It says that it renders offline and sends no transport: notes play the newest take."""
    import pedalboard

    def opened(state: bytes):
        instance = pedalboard.load_plugin(plugin, initialization_timeout=WARM_UP)
        instance.preset_data = state
        return instance

    empty = pedalboard.load_plugin(plugin, initialization_timeout=WARM_UP).preset_data
    preset = vst3_preset.write(empty, json.loads((folder / "state.json").read_text()))
    # What the other two hosts here load: neither writes a preset itself.
    (folder / "preset.vstpreset").write_bytes(preset)
    name = f"pedalboard {pedalboard.__version__}, VST3"
    for rate in RATES:
        wanted = reference(folder, "note", rate)
        for block in ("16", "64", "512", "8192"):

            def bounce(instance):
                note = [([0x90, 60, 127], 0.0)]
                audio = instance(note, duration=SECONDS, sample_rate=rate, num_channels=2, buffer_size=int(block))
                return verdict(audio, wanted, rate)

            instance = opened(preset)
            yield name, "flagged", rate, block, "first", bounce(instance)
            yield name, "flagged", rate, block, "second", bounce(instance)
            yield name, "flagged", rate, block, "reload", bounce(opened(instance.preset_data))


def dawdreamer_cells(plugin: str, folder: Path):
    """It does not say that it renders offline. A strength is automated at audio rate, which moves no stored take."""
    import importlib.metadata

    import dawdreamer

    name = f"DawDreamer {importlib.metadata.version('dawdreamer')}, VST3"
    empty = (folder / "preset.vstpreset").read_bytes()
    state = vst3_preset.read(empty)
    settings = vst3_preset.project(state)["settings"]
    always = vst3_preset.with_project(state, settings=dict(settings, wait="always"))
    for rate in RATES:
        wanted = reference(folder, "song", rate)
        ramp = np.linspace(0, 1, int(SECONDS * rate), dtype=np.float32)
        for mode, state_of_mode in (("unflagged", state), ("set to always", always)):
            for block in ("16", "64", "512", "8192"):
                with tempfile.TemporaryDirectory() as scratch:

                    def opened(load):
                        engine = dawdreamer.RenderEngine(rate, int(block))
                        processor = engine.make_plugin_processor("tiller", plugin)
                        engine.load_graph([(processor, [])])
                        load(processor)
                        if not processor.set_automation(0, ramp):
                            raise RuntimeError("DawDreamer does not automate the first parameter")
                        return engine, processor

                    def bounce(engine, fresh):
                        started = time.monotonic()
                        engine.render(SECONDS)
                        may_miss = known(rate, int(block)) + time.monotonic() - started
                        may_miss = may_miss if fresh and mode == "unflagged" else 0.0
                        return verdict(engine.get_audio(), wanted, rate, may_miss)

                    preset = Path(scratch, "tiller.vstpreset")
                    preset.write_bytes(vst3_preset.write(empty, state_of_mode))
                    saved = str(Path(scratch, "state"))
                    engine, processor = opened(lambda p: p.load_vst3_preset(str(preset)))
                    yield name, mode, rate, block, "first", bounce(engine, True)
                    yield name, mode, rate, block, "second", bounce(engine, False)
                    processor.save_state(saved)
                    engine, processor = opened(lambda p: p.load_state(saved))
                    yield name, mode, rate, block, "reload", bounce(engine, True)


def ardour_cells(plugin: str, folder: Path):
    """It says that it renders offline with each block, not when it sets up."""
    import ardour

    return ardour.cells(plugin, folder, RATES, reference, verdict)


HOSTS = {"pedalboard": pedalboard_cells, "dawdreamer": dawdreamer_cells}
if sys.platform == "linux":
    HOSTS["ardour"] = ardour_cells


def part(plugin: str, folder: Path, host: str) -> list[list[str]]:
    """One host's lines, from a process of its own."""
    command = [sys.executable, __file__, plugin, str(folder), host]
    done = subprocess.run(command, timeout=LIMIT, capture_output=True, text=True, check=False)
    lines = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 5]
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n")
        lines.append([host, "ended early", "", "", "", f"x ({done.returncode})"])
    return lines


def table(lines: list[list[str]]):
    rows: dict[tuple, dict] = {}
    for host, mode, rate, block, bounce, result in lines:
        rows.setdefault((host, mode, rate), {}).setdefault(block, {})[bounce] = result
    print(f"\n{'host':28} {'mode':14} {'rate':>6}  " + "".join(f"{block:^18}" for block in BLOCKS))
    for (host, mode, rate), cells in rows.items():
        # A host that cannot choose its blocks has one cell, under the size it takes.
        texts = [" ".join(cells[block].get(b, "?") for b in BOUNCES) if block in cells else "-" for block in BLOCKS]
        other = [f"{b}: {' '.join(cells[b].values())}" for b in cells if b not in BLOCKS]
        print(f"{host:28} {mode:14} {rate:>6}  " + "".join(f"{text:^18}" for text in texts) + "".join(other))
    print(LEGEND)


def main() -> int:
    if len(sys.argv) == 4:
        for cell in HOSTS[sys.argv[3]](sys.argv[1], Path(sys.argv[2])):
            print(*cell, sep="\t", flush=True)
        return 0
    if len(sys.argv) != 3:
        print("usage: matrix.py TILLER.vst3 FOLDER")
        return 2
    plugin, folder = str(Path(sys.argv[1]).resolve()), Path(sys.argv[2]).resolve()
    os.chdir(Path(__file__).resolve().parent)
    lines = [line.split("\t") for line in (folder / "clap.tsv").read_text().splitlines()]
    for host in HOSTS:
        lines += part(plugin, folder, host)
    table(lines)
    failed = sum(line[5].startswith("x") for line in lines)
    verdict_line = "FAILED" if failed else "ok"
    print(f"\ntest result: {verdict_line}. {len(lines) - failed} passed; {failed} failed; 0 ignored")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
