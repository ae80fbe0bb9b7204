"""Where the judges' files are: the folder named by TILLER_JUDGES, or `target/judges` of the checkout."""

import os
from pathlib import Path

import onnxruntime

DEFAULT = Path(__file__).resolve().parents[3] / "target/judges"


def file(name: str) -> Path:
    """The path of a judge's file, or a sentence saying how to get it."""
    path = Path(os.environ.get("TILLER_JUDGES") or DEFAULT) / name
    if not path.exists():
        raise SystemExit(f"the judge {path} is missing: in models/train, run `python -m judges.fetch --judges "
                         f"{path.parents[name.count('/')]}`")
    return path


def session(name: str, threads: int = 1) -> onnxruntime.InferenceSession:
    """A judge's network, ready to run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file(name)), options, providers=["CPUExecutionProvider"])
