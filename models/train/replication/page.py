"""The page: what agrees with the paper and what does not is read off the numbers."""

import shutil
from pathlib import Path

from .experiments import LAYERS, METHODS, SETS, SITES, STRENGTHS

KEPT = 0.6  # of the source, so that a row is a fusion as the paper's are

CLAP = """
## The same on musicgen-melody, with CLAP

Not run here: the checkpoints cannot be had on the machine that made this page. With `musicgen-melody` and
`clap-htsat-unfused` on disk in Hugging Face's layout and GTZAN beside them:

```sh
tiller import ~/musicgen-melody ~/bundles/melody
tiller lab judge-import ~/clap-htsat-unfused ~/judges/clap
export TILLER_BUNDLE=~/bundles/melody
tiller lab activations --data ~/GTZAN --layout gtzan --seconds 10 --pool last,mean --out gtzan.safetensors
tiller lab cluster --activations gtzan-last.safetensors --plot clusters.svg
tiller lab probe --activations gtzan-last.safetensors --plot probes.svg
tiller lab directions --activations gtzan-last.safetensors --method mse --plus pop --minus rock --out pop.safetensors
tiller lab evaluate --vector pop.safetensors --prompt "a rock song" --target-prompt "a pop song" --judge ~/judges/clap \\
    --source rock --target pop --site residual,attention --strengths 0.25,0.5 --seeds 32 --seconds 10 --out rock-to-pop
```

No melody is given there: the paper conditions on text alone. `musicgen-small` takes the same commands.
"""


# The label of each set whose clusters are shown.
PICTURED = {name: labels[0] for name, labels in SETS.items()}


def best(places: list, site: str, figure) -> dict:
    """The place of a site with the largest figure."""
    return max((p for p in places if p["site"] == site), key=figure)


def where(rows: list) -> list:
    """A line for each label and token position."""
    lines = ["| set: label | classes | positions | ARI residual (layer) | NMI | ARI attention (layer) | NMI | probe residual | probe attention | chance, p |",
             "|" + "---|" * 10]
    for row in rows:
        cells = [f"{row['set']}: {row['label']}", str(len(row["probes"]["data"]["classes"])), row["pool"]]
        for site in SITES:
            c = best(row["clusters"]["places"], site, lambda p: p["ari"])
            cells += [f"{c['ari']:.2f} ({c['layer']})", f"{c['nmi']:.2f}"]
        for site in SITES:
            p = best(row["probes"]["places"], site, lambda p: p["r2"]["value"])
            cells.append(f"{p['accuracy']['value']:.2f} ({p['accuracy']['low']:.2f} to {p['accuracy']['high']:.2f})")
        lines.append("| " + " | ".join([*cells, f"{row['probes']['chance']:.2f}, {p['baseline']['p']:.3f}"]) + " |")
    return lines


def at(row: dict, site: str) -> list:
    """What was steered at a site, by strength."""
    return [h for h in row["heard"]["conditions"] if h["condition"]["kind"] == "steered" and h["condition"]["spot"]["sites"] == site]


def steered(row: dict) -> dict:
    """By site, the condition with the largest lift."""
    return {site: max(at(row, site), key=lambda h: h["lift"]["value"]) for site in SITES}


def interval(figure: dict) -> str:
    """A figure with its 95 % interval."""
    return f"{figure['value']:+.2f} ({figure['low']:+.2f} to {figure['high']:+.2f})"


def table(rows: list) -> list:
    """The paper's own form: source and target, normalised over the two."""
    lines = ["| | method | site, strength | source | target | lift (95 %) | over random (95 %) | p | source kept | distance | in key |", "|" + "---|" * 11]
    shown = set()
    for row in rows:
        conditions = {h["condition"]["kind"]: h for h in row["heard"]["conditions"] if h["condition"]["kind"] in ("unsteered", "prompt")}
        if (row["set"], row["from"], row["to"]) not in shown:
            shown.add((row["set"], row["from"], row["to"]))
            for kind, name in (("unsteered", f"{row['set']}: {row['from']}"), ("prompt", f"prompt: {row['to']}")):
                h = conditions[kind]
                lines.append(f"| {name} | | | {h['source']:.3f} | {h['target']:.3f} | | | | | | {key(h)} |")
        for site, h in steered(row).items():
            lines.append(f"| {row['from']} to {row['to']} | {row['method']} | {site}, {h['condition']['strength']:g} | {h['source']:.3f} | {h['target']:.3f} | "
                         f"{interval(h['lift'])} | {interval(h['over_random'])} | {h['p']:.3f} | {h['source_kept']:.2f} | {h['distance']:.2f} | {key(h)} |")
    return lines


def fused(row: dict, site: str) -> dict | None:
    """The strongest push at a site that keeps the source, if one of those tried does."""
    keeping = [h for h in at(row, site) if h["source_kept"] is not None and h["source_kept"] >= KEPT]
    return max(keeping, key=lambda h: h["condition"]["strength"], default=None)


def fusion(rows: list) -> list:
    """A line for each direction and site: the strongest push that keeps the source."""
    lines = ["| | method | site, strength | source kept | lift (95 %) | over random (95 %) | p | distance |", "|" + "---|" * 8]
    for row in rows:
        for site in SITES:
            h, name = fused(row, site), f"| {row['set']}: {row['from']} to {row['to']} | {row['method']} | {site}"
            lines.append(f"{name}, none | | | | | |" if h is None else
                         f"{name}, {h['condition']['strength']:g} | {h['source_kept']:.2f} | {interval(h['lift'])} | {interval(h['over_random'])} | "
                         f"{h['p']:.3f} | {h['distance']:.2f} |")
    return lines


def key(heard: dict) -> str:
    """The share in key."""
    return "" if heard.get("in_key") is None else f"{heard['in_key']:.2f}"


def means(rows: list) -> list:
    """Mean lifts by method and site."""
    lines = [f"| method | site | mean lift | mean over random | pairs over random with p < .05 | mean distance | mean lift where {KEPT:g} of the source is kept |", "|" + "---|" * 7]
    asked = {method: {(r["from"], r["to"]) for r in rows if r["method"] == method} for method in METHODS}
    shared = set.intersection(*asked.values())  # methods are compared on the same pairs
    rows = [r for r in rows if (r["from"], r["to"]) in shared]
    for method in METHODS:
        for site in SITES:
            found = [steered(r)[site] for r in rows if r["method"] == method]
            keeping = [h for h in (fused(r, site) for r in rows if r["method"] == method) if h]
            kept = f"{sum(h['lift']['value'] for h in keeping) / len(keeping):+.2f} ({len(keeping)} of {len(found)})" if keeping else "none"
            count = len(found)
            lines.append(f"| {method} | {site} | {sum(h['lift']['value'] for h in found) / count:+.2f} | "
                         f"{sum(h['over_random']['value'] for h in found) / count:+.2f} | {sum(h['p'] < .05 and h['over_random']['value'] > 0 for h in found)} of {count} | "
                         f"{sum(h['distance'] for h in found) / count:.2f} | {kept} |")
    return lines


def pictures(rows: list, work: Path, out: Path) -> list:
    """The figures of clusters of each set, at both positions."""
    lines = []
    for row in rows:
        if row["label"] == PICTURED[row["set"]]:
            name = f"cluster-{row['set']}-{row['label']}-{row['pool']}.svg"
            shutil.copyfile(work / name, out / name)
            lines.append(f"- [{row['set']}, {row['pool']}](replication/{name})")
    return lines


def page(found: dict, work: Path, out: Path) -> str:
    """Markdown; `out` gets the pictures."""
    genres, instruments, harmony = found["genres"], found["instruments"], found["harmony"]
    return "\n".join([
        "# The paper's experiments on the embedded model", "",
        "Generated by `cargo xtask report replication`. [Panda et al. 2025](https://arxiv.org/abs/2506.10225) ran musicgen-melody on GTZAN, FMA, music_genres and",
        "SynTheory, judged by CLAP; here it is the embedded model, six layers of width 256, sets rendered by `make_concepts.py`",
        f"({found['clips']} clips a class), and judges from `lab_judges.py`, {found['seeds']} seeds of 4 s for each row. Every number: [results.json](replication/results.json).", "",
        (Path(__file__).parent / "reading.md").read_text(),
        "## Where is a concept? (paper: figures 1 to 4)", "",
        "k-means without labels (ARI, NMI, at the layer with the best ARI), and linear probes on held-out tracks (accuracy with its 95 % interval",
        "at the layer with the best R2; chance, and p by labels dealt anew). `last` is the paper's token position, `mean` the mean over time.", "",
        *where(found["where"]), "", "Indices at every layer, and Jaccard matrices of clusters against labels at the best layer of each site:", "",
        *pictures(found["where"], work, out), "",
        "## Genre fusion, both directions (tables I, II)", "",
        f"Directions of one class against the other, from means over time; layers {LAYERS}, strengths {', '.join(map(str, STRENGTHS))}; each row is the strength with",
        "the largest lift, so its p is that of the best of them. Distances are from the unsteered clips, in distances between seeds.", "",
        *table(genres), "", "## Instruments (table III)", "",
        "The source is a flute as in the paper; strings stand for the violin, which the judge cannot tell in an unseen sound font.", "",
        *table(instruments), "", "## Methods and sites", "", "Over the pairs above that all three methods were asked of.", "", *means(genres + instruments), "",
        "## Notes, chords, progressions", "",
        "Judged by the pitch classes and modes in the notes that basic-pitch hears.", "", *table(harmony), "",
        "## Fusion: the strongest push that keeps the source", "",
        f"The paper's rows keep most of the source. Of the strengths above, the largest at which {KEPT:g} of the source's probability is left in the mean;",
        "p is over a random direction of the same norm.", "", *fusion(genres + instruments + harmony), "",
        "## Commands", "", "In the work folder, with `TILLER_BUNDLE` the bundle and JUDGES the folder of `lab_judges.py`:", "", "```sh", *found["commands"], "```", CLAP])
