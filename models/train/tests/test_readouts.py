"""A concept is read along its direction: 1 and -1 at the sides it was learnt from, with the spread of rows held out."""

import torch

from learn_vectors import gauge


def test_planted_sides_are_read_at_one_and_minus_one():
    noise = torch.Generator().manual_seed(1)
    plus, minus = (torch.randn(4_000, 8, generator=noise) + torch.eye(8)[0] * centre for centre in (5, 1))
    r = torch.nn.functional.normalize((plus[:2_000] - minus[:2_000]).mean(0), dim=-1)
    found = gauge(r, torch.stack([side[2_000:] @ r for side in (plus, minus)]), plus, minus, 0.97)
    for side, expected in ((plus, 1), (minus, -1)):
        assert abs(found["scale"] * float((side @ r).mean()) + found["offset"] - expected) < 0.02
    # The sides are two deviations of the noise from their middle.
    assert abs(found["plus"]["mean"] - 1) < 0.05 and abs(found["minus"]["mean"] + 1) < 0.05
    assert abs(found["plus"]["deviation"] - 0.5) < 0.03 and found["accuracy"] == 0.97


def test_sides_that_do_not_differ_are_not_read():
    same = torch.ones(4, 3)
    assert gauge(torch.zeros(3), torch.zeros(2, 2), same, same, 0.5) is None
