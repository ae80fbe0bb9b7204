"""Root and mode from the notes basic-pitch hears.

Textbook key profiles confuse relative keys (C major and A minor share their notes): on five seconds of this music they
name the mode rightly in two of three clips, even from the written notes. What tells relative keys apart is where a piece
starts. So the profiles here are fitted, on raw renders alone: how often each scale step sounds, in the whole clip and in its
first 1.6 s.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

SOUNDING = 0.4          # probability from which a key counts as sounding
START_FRAMES = 138      # 1.6 s of basic-pitch's frames
RIDGE = 1e-3
MODES = ("major", "minor")
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10, 11)}


def pitch_classes(activity: np.ndarray) -> np.ndarray:
    """Shares of the twelve pitch classes (0 = C), in the whole clip and in its start: [2, 12]."""
    sounding = np.where(activity > SOUNDING, activity, 0)
    shares = np.zeros((2, 12))
    for key in range(88):
        shares[:, (key + 9) % 12] += sounding[:, key].sum(), sounding[:START_FRAMES, key].sum()
    return shares / (shares.sum(1, keepdims=True) + 1e-6)


def in_key(shares: np.ndarray, root: int, mode: str) -> float:
    """The share of sounding time inside a key, its leading tone allowed; 0 for silence."""
    return float(sum(shares[0, (root + step) % 12] for step in SCALES[mode]))


class KeyJudge:
    """`hear(shares)` -> (root, mode)."""

    def __init__(self, shares: np.ndarray, keys: list):
        """Fits [N, 2, 12] to N keys (root, mode): a conditional logit over the 24."""
        rows = self._turned(shares)
        y = np.array([12 * MODES.index(mode) + root for root, mode in keys])
        picks = np.arange(len(y)), y

        def loss(flat):
            weights = flat.reshape(2, -1)
            logits = np.concatenate([rows @ w for w in weights], 1)
            norm = logsumexp(logits, 1)
            chances = np.exp(logits - norm[:, None])
            chances[picks] -= 1
            gradient = np.stack([np.einsum("nr,nrd->d", chances[:, 12 * m:12 * m + 12], rows) for m in (0, 1)])
            mean = (norm - logits[picks]).mean()
            return mean + RIDGE / 2 * (flat ** 2).sum(), (gradient / len(y) + RIDGE * weights).ravel()

        self.weights = minimize(loss, np.zeros(2 * rows.shape[2]), jac=True, method="L-BFGS-B").x.reshape(2, -1)

    @staticmethod
    def _turned(shares: np.ndarray) -> np.ndarray:
        """Shares as seen from each of the twelve roots: [N, 12, 24]."""
        return np.stack([np.roll(shares, -root, 2).reshape(len(shares), -1) for root in range(12)], 1)

    def _logits(self, shares: np.ndarray) -> np.ndarray:
        """[12, 2]: roots, modes."""
        return self._turned(shares[None])[0] @ self.weights.T

    def minor(self, shares: np.ndarray) -> float:
        """How likely one clip's [2, 12] is minor, on whatever root."""
        chances = softmax(self._logits(shares))
        return float(chances[:, MODES.index("minor")].sum())

    def minor_on(self, root: int, shares: np.ndarray) -> float:
        """How likely one clip's [2, 12] is minor, if it is on this root."""
        return float(softmax(self._logits(shares)[root])[MODES.index("minor")])

    def hear(self, shares: np.ndarray) -> tuple:
        """The likeliest key of one clip's [2, 12]."""
        logits = self._logits(shares)
        root, mode = np.unravel_index(logits.argmax(), logits.shape)
        return int(root), MODES[mode]
