"""Runs the VST3's tests, each in a process of its own with a time limit: `run.py TILLER.vst3`.

A plugin that hangs or takes its host down fails one test. Ends with a line in the form of Rust's test runner.
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

#: Longest one test may take, in seconds, on a slow and busy machine.
LIMIT = 180


def names(suite):
    """The dotted names of all tests below a suite."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from names(test)
        else:
            yield test.id()


def run(name: str, environment: dict) -> bool:
    command = [sys.executable, "-m", "unittest", name]
    with tempfile.TemporaryDirectory() as cache:
        environment = dict(environment, TILLER_CACHE=cache)
        try:
            done = subprocess.run(
                command, env=environment, timeout=LIMIT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
            )
            passed, output = done.returncode == 0, done.stdout
        except subprocess.TimeoutExpired as late:
            passed, output = False, (late.stdout or b"") + f"still running after {LIMIT} s, ended".encode()
    print(f"test {name} ... {'ok' if passed else 'FAILED'}", flush=True)
    if not passed:
        print(output.decode(errors="replace"), flush=True)
    return passed


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: run.py TILLER.vst3")
        return 2
    here = Path(__file__).resolve().parent
    environment = dict(os.environ, TILLER_TEST_VST3=str(Path(sys.argv[1]).resolve()))
    os.environ.update(environment)
    os.chdir(here)
    results = [run(name, environment) for name in names(unittest.defaultTestLoader.discover(str(here)))]
    failed = results.count(False)
    verdict = "FAILED" if failed or not results else "ok"
    print(f"test result: {verdict}. {len(results) - failed} passed; {failed} failed; 0 ignored")
    return 0 if verdict == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
