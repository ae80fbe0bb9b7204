"""Rates, means and areas under the curve, with 95 % intervals; the same clips always give the same figures."""

import numpy as np

DRAWS = 1_000


def auc(positive, negative) -> float:
    """The chance that a positive scores above a negative; ties count half."""
    p, n = np.asarray(positive)[:, None], np.asarray(negative)[None]
    return float(((p > n) + 0.5 * (p == n)).mean())


def wilson(hits: int, count: int) -> tuple:
    """Wilson's interval for `hits` of `count` independent trials."""
    if count == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / count
    centre, whole = share + z * z / (2 * count), 1 + z * z / count
    spread = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, float((centre - spread) / whole)), min(1.0, float((centre + spread) / whole))


def figure(groups: list) -> dict:
    """The mean over groups of values (the seeds of a prompt, say), each group counting alike.

    One group of yes and no has Wilson's interval. Otherwise groups are drawn again, and values within them: seeds of one
    prompt are more alike than prompts are.
    """
    groups = [np.asarray(g, float) for g in groups if len(g)]
    count = sum(map(len, groups))
    if not count:
        return {"value": None, "interval": None, "n": 0}
    value = float(np.mean([g.mean() for g in groups]))
    if len(groups) == 1 and set(groups[0]) <= {0.0, 1.0}:
        interval = wilson(int(groups[0].sum()), count)
    else:
        rng = np.random.default_rng(1)
        drawn = rng.integers(len(groups), size=(DRAWS, len(groups)))
        means = [np.mean([rng.choice(groups[g], len(groups[g])).mean() for g in row]) for row in drawn]
        interval = tuple(np.percentile(means, [2.5, 97.5]).tolist())
    return {"value": value, "interval": list(interval), "n": count}


def median(values) -> dict:
    """The median with a bootstrap interval."""
    values, rng = np.asarray(values, float), np.random.default_rng(1)
    drawn = np.median(rng.choice(values, (DRAWS, len(values))), 1)
    return {"value": float(np.median(values)), "interval": np.percentile(drawn, [2.5, 97.5]).tolist(), "n": len(values)}


def sign_flip(differences, draws: int = 20_000) -> float:
    """How often a mean as large as that of paired differences comes from flipping their signs at random (one-sided)."""
    differences, rng = np.asarray(differences, float), np.random.default_rng(1)
    signs = rng.choice((-1.0, 1.0), (draws, len(differences)))
    return float(((signs @ differences >= differences.sum() - 1e-12).sum() + 1) / (draws + 1))
