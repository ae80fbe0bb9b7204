"""The judges judged: fitted on raw renders of the training fonts, tested on other clips, in the unseen font too.

A class is claimed only if its judge separates it (area under the curve) and names it (hit rate) in both.
"""

from dataclasses import dataclass

import numpy as np

from judges.key import KeyJudge, in_key
from judges.probe import Probe, SingleTags
from judges.tempo import compare
from music.captions import STYLES
from music.studies import ROOTS

from .clips import FIT, INSTRUMENTS, TEST, UNSEEN, bands, solos, trios
from .listening import Listeners
from .statistics import auc, figure

LEAST_AUC, LEAST_HITS = 0.9, 0.6
SETS = {"seen": TEST, "unseen": UNSEEN}


@dataclass
class Judges:
    """The fitted judges, and the classes they may speak of."""

    instruments: Probe
    styles: Probe
    drums: Probe
    key: KeyJudge
    single: dict
    claimed: dict

    def pick(self, what: str, tags: np.ndarray) -> list:
        """The class of each clip, among the claimed ones; `what` is instruments or styles."""
        probe, claimed = getattr(self, what), self.claimed[what]
        columns = [probe.classes.index(c) for c in claimed]
        return [claimed[k] for k in probe.scores(tags)[:, columns].argmax(1)]

    def has_drums(self, tags: np.ndarray) -> np.ndarray:
        """Whether each clip has drums."""
        return self.drums.scores(tags).argmax(1) == 1


def clip_set(base: int, count: int) -> list:
    """Solos, bands and trios of a set."""
    return solos(base, count) + bands(base, count) + trios(base, 2 * count)


def facts_of(clips: list) -> list:
    """What is true of each clip."""
    return [clip.piece().facts for clip in clips]


def of_kind(clips: list, kind: str) -> tuple:
    """(indices, labels) of a kind."""
    rows = [n for n, clip in enumerate(clips) if clip.kind == kind]
    return rows, [clips[n].label for n in rows]


def tonal(clips: list) -> list:
    """Indices of the clips that have a key."""
    return [n for n, clip in enumerate(clips) if clip.label != "drums"]


def key_of(facts) -> tuple:
    """(root, mode) as the judges give it."""
    return ROOTS.index(facts.root), facts.mode


def fit(listeners: Listeners, count: int) -> Judges:
    """The judges, fitted on FIT; nothing claimed yet."""
    clips = clip_set(FIT, count)
    facts, raw = facts_of(clips), listeners.listen("fit", clips)
    tags = np.stack([raw["tags"], listeners.listen_altered("fit-altered", clips)["tags"]])
    probes, single = {}, {}
    for kind, classes in (("solo", INSTRUMENTS), ("band", STYLES)):
        rows, labels = of_kind(clips, kind)
        probes[kind] = Probe(tags[:, rows].reshape(2 * len(rows), -1), labels * 2, classes)
        single[kind] = SingleTags(raw["tags"][rows], labels, classes)
    drums = Probe(tags.reshape(2 * len(clips), -1), [f.drums for f in facts] * 2, (False, True))
    pitched = tonal(clips)
    key = KeyJudge(raw["shares"][pitched], [key_of(facts[n]) for n in pitched])
    return Judges(probes["solo"], probes["band"], drums, key, single, {})


def per_class(probe: Probe | SingleTags, tags: np.ndarray, labels: list) -> dict:
    """Area under the curve and hit rate of every class."""
    scores, labels = probe.scores(tags), np.array(labels)
    hits = scores.argmax(1)
    return {c: {"auc": auc(scores[labels == c, k], scores[labels != c, k]), "hits": float((hits[labels == c] == k).mean()),
                "n": int((labels == c).sum())} for k, c in enumerate(probe.classes)}


def tempo_rates(clips: list, facts: list, tempi: np.ndarray) -> dict:
    """How often the tempo of clips with drums between 78 and 138 beats a minute is heard rightly."""
    verdicts = [compare(t, f.bpm) for c, f, t in zip(clips, facts, tempi) if f.drums and 78 <= f.bpm <= 138]
    return {"right": figure([[v == "right" for v in verdicts]]), "with octaves": figure([[v != "wrong" for v in verdicts]])}


def validate(listeners: Listeners, fitted: int, tested: int) -> tuple:
    """(judges, table, held-out clips and what was heard in them by set)."""
    judges, table, heard = fit(listeners, fitted), {}, {}
    for name, base in SETS.items():
        clips = clip_set(base, tested)
        facts, raw = facts_of(clips), listeners.listen(name, clips)
        heard[name] = clips, facts, raw
        entry = {}
        for kind, what in (("solo", "instruments"), ("band", "styles")):
            rows, labels = of_kind(clips, kind)
            entry[what] = per_class(getattr(judges, what), raw["tags"][rows], labels)
            alone = per_class(judges.single[kind], raw["tags"][rows], labels)
            for c, tag in zip(alone, judges.single[kind].tags):
                alone[c]["tag"] = listeners.labels[tag]
            entry[f"{what}, single tags"] = alone
        present, scores = np.array([f.drums for f in facts]), judges.drums.scores(raw["tags"])[:, 1]
        entry["drums"] = {"auc": auc(scores[present], scores[~present]),
                          "hits": float((judges.has_drums(raw["tags"]) == present).mean()), "n": len(clips)}
        pitched = tonal(clips)
        keys = [judges.key.hear(raw["shares"][n]) for n in pitched]
        entry["mode"] = figure([[k[1] == facts[n].mode for k, n in zip(keys, pitched)]])
        entry["root"] = figure([[k[0] == key_of(facts[n])[0] for k, n in zip(keys, pitched)]])
        entry["in key"] = figure([[in_key(raw["shares"][n], *k) for k, n in zip(keys, pitched)]])
        entry["tempo"] = tempo_rates(clips, facts, raw["tempo"])
        table[name] = entry
    for what in ("instruments", "styles"):
        good = [c for c in getattr(judges, what).classes
                if all(table[s][what][c]["auc"] >= LEAST_AUC and table[s][what][c]["hits"] >= LEAST_HITS for s in SETS)]
        judges.claimed[what] = good
    table["claimed"] = judges.claimed
    return judges, table, heard
