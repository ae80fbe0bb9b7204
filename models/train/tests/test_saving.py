"""Interrupted and full: what is saved stays whole, and a run goes on from it."""

import errno
import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from saving import replace  # noqa: E402
from tokenise import CODES, RECORDS, read_codes, resume  # noqa: E402


def test_a_full_disk_is_a_sentence_and_keeps_what_was_there(tmp_path):
    path = tmp_path / "codec.pt"
    path.write_text("whole")

    def fails(partial):
        partial.write_text("hal")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SystemExit, match="is full"):
        replace(path, fails)
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_set_is_cut_back_to_whole_groups(tmp_path):
    codes = np.arange(9 * 5 * 4, dtype="<u2")
    (tmp_path / CODES).write_bytes(codes.tobytes() + b"torn")
    (tmp_path / RECORDS).write_text("".join(json.dumps({"frames": 5}) + "\n" for _ in range(9)) + '{"fra')
    with pytest.raises((SystemExit, ValueError)):
        read_codes(tmp_path)
    assert resume(tmp_path) == (40, 8)
    read, records = read_codes(tmp_path)
    assert len(records) == 8 and (read.reshape(-1) == codes[:160]).all()
