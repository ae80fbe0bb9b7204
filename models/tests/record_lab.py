#!/usr/bin/env python3
"""Makes a small activation file and records what scikit-learn makes of it.

Both are under `data/lab` and committed; the Rust tests read the former and compare with the latter, so only whoever
changes them needs Python:

    pip install numpy scipy scikit-learn safetensors
    python models/tests/record_lab.py

The activations are awkward on purpose: components of very different size, a large offset, a constant one, classes and
tracks of different length.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import adjusted_rand_score, jaccard_score, normalized_mutual_info_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

DATA = Path(__file__).parent / "data" / "lab"
CLASSES = ["flute", "drums", "pad"]
WIDTH = 10


def activations(rng):
    """Three classes of 12, 9 and 7 tracks with 2 to 5 segments each, at three places."""
    label, track = [], []
    for number, name in enumerate(np.repeat([0, 1, 2], [12, 9, 7])):
        segments = rng.integers(2, 6)
        label += [name] * segments
        track += [100 - number] * segments
    label, track = np.array(label), np.array(track)
    order = rng.permutation(len(label))
    label, track = label[order], track[order]
    tensors = {"label": label.astype(np.int64), "track": track.astype(np.int64)}
    scale = np.geomspace(0.1, 30, WIDTH)
    for place, strength in (("residual.0", 0.3), ("residual.1", 1.2), ("attention.1", 0.7)):
        centres = rng.normal(size=(3, WIDTH)) * strength
        of_track = rng.normal(size=(128, WIDTH)) * 0.4
        x = (rng.normal(size=(len(label), WIDTH)) + centres[label] + of_track[track]) * scale
        x[:, 3] += 500
        x[:, 6] = 0.7
        tensors[place] = x.astype(np.float32)
    return tensors


def weights(label, plus, minus):
    """Both sides, and the classes of a side, count the same; all add up to the number of rows."""
    rows = np.isin(label, [plus, *minus])
    w = np.zeros(len(label))
    w[label == plus] = rows.sum() / 2 / (label == plus).sum()
    for c in minus:
        w[label == c] = rows.sum() / 2 / len(minus) / (label == c).sum()
    return rows, w[rows]


def folded(x, y, w, standardise, model):
    """The model's weights in activation space."""
    if not standardise:
        return model.fit(x, y, sample_weight=w).coef_.ravel()
    with np.errstate(invalid="ignore"):  # The variance of the constant component is rounding, and may be negative.
        scaler = StandardScaler().fit(x, sample_weight=w)
    return model.fit(scaler.transform(x), y, sample_weight=w).coef_.ravel() / scaler.scale_


def directions(tensors):
    """Difference in means, principal component, ridge and logistic weights of two contrasts at every place."""
    found = []
    label = tensors["label"]
    for place in ("residual.0", "residual.1", "attention.1"):
        for plus, minus in ((0, [1]), (2, [0, 1])):
            rows, w = weights(label, plus, minus)
            x, y = tensors[place][rows].astype(np.float64), np.where(label[rows] == plus, 1.0, -1.0)
            common = {"place": place, "plus": CLASSES[plus], "minus": CLASSES[minus[0]] if len(minus) == 1 else None}

            def add(method, direction, **settings):
                found.append(common | {"method": method, "direction": direction.tolist()} | settings)

            mean = {side: np.average(x[y == side], axis=0, weights=w[y == side]) for side in (1, -1)}
            add("dim", mean[1] - mean[-1], standardise=False)
            pairs = x[y == 1][:, None] - x[y == -1][None]
            second = np.einsum("pmi,pmj,p,m->ij", pairs, pairs, w[y == 1], w[y == -1])
            component = np.linalg.eigh(second)[1][:, -1]
            add("pca", component * np.sign(component @ (mean[1] - mean[-1])), standardise=False)
            for standardise in (False, True):
                for alpha in (0.5, 50.0):
                    add("mse", folded(x, y, w, standardise, Ridge(alpha=alpha)), standardise=standardise, ridge=alpha)
                for c in (0.05, 1.0):
                    model = LogisticRegression(C=c, tol=1e-12, max_iter=1_000_000)
                    add("bce", folded(x, y, w, standardise, model), standardise=standardise, c=c)
    return found


def agreement(rng):
    """Indices of pairs of partitions, from equal to unrelated, with an empty class and with more clusters than classes."""
    found = []
    for rows, classes, clusters, noise in ((60, 3, 3, 0.0), (200, 4, 4, 0.3), (150, 3, 5, 0.5), (90, 5, 3, 0.4), (80, 2, 2, 1.0)):
        label = rng.integers(0, classes, rows)
        cluster = np.where(rng.random(rows) < noise, rng.integers(0, clusters, rows), (label * 7 + 1) % clusters)
        jaccard = [[jaccard_score(label == c, cluster == k, zero_division=0.0) for c in range(classes)] for k in range(clusters)]
        matched = linear_sum_assignment(np.array(jaccard), maximize=True)
        found.append({
            "classes": classes, "clusters": clusters, "label": label.tolist(), "cluster": cluster.tolist(),
            "ari": adjusted_rand_score(label, cluster), "nmi": normalized_mutual_info_score(label, cluster),
            "jaccard": jaccard, "matched": float(np.array(jaccard)[matched].sum()),
        })
    return found


def areas(rng):
    """Areas under weighted curves, with ties."""
    target = rng.choice([-1.0, 1.0], 80)
    score = np.round(rng.normal(size=80) + target * 0.7, 1)
    weight = rng.random(80)
    return {"target": target.tolist(), "score": score.tolist(), "weight": weight.tolist(),
            "auc": roc_auc_score(target > 0, score, sample_weight=weight)}


def main():
    rng = np.random.default_rng(20250610)
    DATA.mkdir(parents=True, exist_ok=True)
    tensors = activations(rng)
    save_file(tensors, DATA / "activations.safetensors", metadata={"classes": json.dumps(CLASSES)})
    recorded = {"directions": directions(tensors), "agreement": agreement(rng), "area": areas(rng)}
    (DATA / "expected.json").write_text(json.dumps(recorded) + "\n")


if __name__ == "__main__":
    main()
