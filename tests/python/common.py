"""What the tests of both hosts share."""

import os

#: The packaged plugin, named on run.py's command line.
PLUGIN = os.environ.get("TILLER_TEST_VST3", "")

#: Hosts list these names in this order; projects and automation lanes hold them.
PARAMETERS = [
    "Steer 1",
    "Steer 2",
    "Steer 3",
    "Steer 4",
    "Guidance",
    "Temperature",
    "Top-k",
    "Length in bars",
    "Length in seconds",
    "Seed",
    "Gain",
    "Generate",
]

RATE = 48_000

#: pedalboard plays notes into a fresh instrument until it sounds, for as many seconds as this. Tiller is silent until it
#: has a take, and ready at once.
WARM_UP = 0.05


def take(seconds: float, seed: int = 3) -> dict:
    """A take at the song's start that has a recipe and is yet to be rendered."""
    recipe = {"prompt": "a calm piano melody", "seed": seed, "seconds": seconds}
    return {"place": {"beats": 0.0, "seconds": 0.0}, "recipe": recipe}
