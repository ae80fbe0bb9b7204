"""The push that leaves the source its share is found between those that were tried; only what works is said to ship."""

import json
from pathlib import Path

import pytest

import judge_fusion
from vectors_page import page, put


def at(strength):
    """The source fades in proportion to the strength, and is at .6 at .4."""
    return {"source": 1 - strength, "pair lift": strength}


def test_the_strongest_push_that_leaves_the_source_is_between_those_tried():
    dose = {s: at(s) for s in (0.1, 0.3, 0.5)}
    assert judge_fusion.fusing(dose, at) == pytest.approx(0.4) and 0.4 in dose
    assert judge_fusion.fusing({0.1: {"source": 0.1, "pair lift": 0.9}}, lambda _: {"source": 0.1, "pair lift": 0.9}) is None
    assert judge_fusion.fusing({0.1: at(0.1)}, at) == 0.1  # nothing was too strong


def test_the_page_counts_what_ships():
    table = json.loads((Path(__file__).parents[1] / "logs/vectors.json").read_text())
    shipped = [concept for concept, row in table.items() if row["works"]]
    text = page(table)
    assert f"{len(shipped)} of {len(table)} do more" in text
    assert {line.split(" | ")[0].strip("| ") for line in text.splitlines() if "(not shipped)" in line} == {
        f"{concept} (not shipped)" for concept in table if concept not in shipped}


def test_the_model_card_has_what_the_judges_found():
    train = Path(__file__).parents[1]
    text = (train.parent / "default/MODEL_CARD.md").read_text()
    assert put(text, json.loads((train / "logs/vectors.json").read_text())) == text
