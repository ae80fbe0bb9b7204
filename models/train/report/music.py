"""What generated clips are: the prompt followed, the music in key and alive, and not recited."""

from itertools import combinations
from pathlib import Path

import numpy as np

from judges.key import in_key
from judges.tempo import compare

from . import nearest
from .clips import INSTRUMENTS
from .listening import Listeners, save
from .statistics import figure
from .validation import Judges, of_kind, tonal

RATES = ("instrument", "style", "drums present", "drums absent", "mode", "key", "tempo", "tempo, octaves too")
SAME = 0.9  # correlation from which two clips count as the same


def adherence(prompts: tuple, heard: dict, judges: Judges) -> dict:
    """How often each thing asked for is heard. `heard` has arrays [prompts, seeds, ...]."""
    rows, groups = [], {name: [] for name in RATES}
    for n, prompt in enumerate(prompts):
        tags, row = heard["tags"][n], {"prompt": prompt.text}
        for what, asked in (("instruments", prompt.instrument), ("styles", prompt.style)):
            if asked in judges.claimed[what]:
                picks = judges.pick(what, tags)
                hits = [pick == asked for pick in picks]
                row[what[:-1]] = figure([hits])
                wrong = [pick for pick in picks if pick != asked]
                row["heard instead"] = max(set(wrong), key=wrong.count) if wrong else ""
                groups[what[:-1]].append(hits)
        if prompt.drums is not None:
            hits = judges.has_drums(tags) == prompt.drums
            row["drums"] = figure([hits])
            groups["drums present" if prompt.drums else "drums absent"].append(hits)
        if prompt.key:
            keys = [judges.key.hear(shares) for shares in heard["shares"][n]]
            for name, hits in (("mode", [k[1] == prompt.key[1] for k in keys]), ("key", [k == prompt.key for k in keys])):
                row[name] = figure([hits])
                groups[name].append(hits)
        if prompt.bpm:
            verdicts = [compare(t, prompt.bpm) for t in heard["tempo"][n]]
            row["tempo"] = figure([[v == "right" for v in verdicts]])
            errors = np.abs(heard["tempo"][n] / prompt.bpm - 1)
            row["tempo error"] = float(np.nanmedian(errors)) if np.isfinite(errors).any() else None
            groups["tempo"].append([v == "right" for v in verdicts])
            groups["tempo, octaves too"].append([v != "wrong" for v in verdicts])
        rows.append(row)
    return {"prompts": rows, **{name: figure(group) for name, group in groups.items()}}


def _solos(prompts: tuple) -> list:
    """Indices of the prompts for one pitched instrument."""
    return [n for n, p in enumerate(prompts) if p.key or (p.instrument in INSTRUMENTS and p.instrument != "drums")]


def qualities(prompts: tuple, heard: dict, judges: Judges, held_out: tuple) -> dict:
    """In-key share, notes a second, silence and clipping, each beside held-out renders of the same grammar."""
    clips, _, raw = held_out
    solo = sorted(set(of_kind(clips, "solo")[0]) & set(tonal(clips)))
    inside = lambda shares: in_key(shares, *judges.key.hear(shares))  # noqa: E731
    asked = [n for n, p in enumerate(prompts) if p.key]
    return {
        "in key": figure([[inside(s) for s in heard["shares"][n]] for n in _solos(prompts)]),
        "in the key asked for": figure([[in_key(s, *prompts[n].key) for s in heard["shares"][n]] for n in asked]),
        "in key, held-out renders": figure([[inside(raw["shares"][n]) for n in solo]]),
        "notes a second": figure([heard["notes"][n] for n in _solos(prompts)]),
        "notes a second, held-out renders": figure([raw["notes"][solo]]),
        "silence": figure(list(heard["silence"])), "clipping": figure(list(heard["clipping"])),
        "silence, held-out renders": figure([raw["silence"]]),
    }


def recital(listeners: Listeners, files: list, held_out: list, work: Path, training_clips: int, seeds: int) -> dict:
    """Difference between seeds, and the nearest training clip. `files` [prompts][seeds], `held_out`: WAV files."""
    picked = [file for group in files for file in group[:seeds]]
    print(f"fingerprints of {len(picked)} generated, {len(held_out)} held-out and {training_clips} training clips", flush=True)
    prints = listeners.each(nearest.fingerprint_file, [str(f) for f in picked + held_out])
    own, strangers = prints[:len(picked)], prints[len(picked):]
    training = _training(listeners, training_clips, work)
    mine, theirs = nearest.nearest(own, training), nearest.nearest(strangers, training)
    pairs, at = [], 0
    for group in files:
        size = len(group[:seeds])
        table = nearest.similarities(own[at:at + size])
        pairs.append([table[a, b] for a, b in combinations(range(size), 2)])
        at += size
    limit = float(np.percentile(theirs, 99))
    return {"training clips": training_clips, "likeness of seeds": figure(pairs),
            "seeds alike": figure([[value > SAME for value in group] for group in pairs]),
            "nearest": figure([mine]), "nearest, held-out renders": figure([theirs]),
            "limit": limit, "nearer than the limit": figure([[bool(v > limit) for v in mine]]),
            "recited": figure([[bool(v > SAME) for v in mine]]), "nearest of all": float(mine.max())}


def _training(listeners: Listeners, count: int, work: Path) -> list:
    """Fingerprints of the training clips, kept in the work folder."""
    path = work / f"training-{count}-{listeners.sources[:16]}.npz"
    if not path.exists():
        prints = listeners.each(nearest.fingerprint_training, list(range(count)))
        save(path, {"frames": np.concatenate(prints), "ends": np.cumsum([len(p) for p in prints])[:-1]})
    kept = np.load(path)
    return np.split(kept["frames"], kept["ends"])


def generated(product, listeners: Listeners, prompts: tuple, seeds: int, seconds: float, work: Path) -> tuple:
    """(what is heard [prompts, seeds, ...], WAV files [prompts][seeds])."""
    folder = work / f"generated-{product.id[:12]}"
    files = product.generate([p.text for p in prompts], seeds, seconds, folder)
    flat = listeners.listen("generated", [str(file) for group in files for file in group])
    return {name: v.reshape(len(prompts), seeds, *v.shape[1:]) for name, v in flat.items()}, files
