"""The shipped vectors' rows of `vectors.json`, for programs that hear something more of each."""

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from vectors_page import page


def arguments(about: str) -> argparse.Namespace:
    """The command line of such a program, which `about` describes."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiller", type=Path, default=Path("target/release/tiller"))
    parser.add_argument("--bundle", type=Path, default=Path("models/default"))
    parser.add_argument("--table", type=Path, default=Path("logs/vectors.json"))
    parser.add_argument("--page", type=Path, default=Path("../../docs/report/vectors.md"))
    parser.add_argument("--work", type=Path, default=Path("target/report"), help="where the judges' own training is kept")
    parser.add_argument("--banks", type=Path, help="folder of the sample banks (default: in the work folder)")
    given = parser.parse_args()
    given.banks = given.banks or given.work / "banks"
    return given


def source_of(bundle: Path) -> str:
    """The hash by which vectors name the bundle's model."""
    return json.loads((bundle / "bundle.json").read_text())["source"]["sha256"]


def random_direction(like: Path, to: Path, model: str):
    """Writes a vector file of random directions, the same for every `like` of one shape."""
    generator = np.random.default_rng(3)
    directions = {n: generator.standard_normal(v.shape).astype(np.float32) for n, v in load_file(like).items()}
    save_file(directions, to, metadata={"format": "tiller-vector/1", "concept": "random", "model": model})


def fill(given: argparse.Namespace, field: str, found):
    """Puts `found(concept, row, vector)` into `field` of the rows without it, and writes table and page after each."""
    table = json.loads(given.table.read_text())
    for concept, row in table.items():
        if not row["works"] or field in row:
            continue
        row[field] = found(concept, row, given.bundle / "vectors" / f"{concept.replace(' ', '-')}.safetensors")
        print(f"{concept:18} {row[field]}", flush=True)
        given.table.write_text(json.dumps(table, indent=1))
        given.page.write_text(page(table))
