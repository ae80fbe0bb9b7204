"""The figures as Markdown."""

from .music import RATES
from .validation import LEAST_AUC, LEAST_HITS


def _number(value, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _with_interval(found: dict | None, digits: int = 2) -> str:
    """`0.62 (0.55 to 0.70)`."""
    if not found or found.get("value") is None:
        return "-"
    low, high = found["interval"]
    return f"{found['value']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _table(head: list, rows: list) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def summary(judged: list) -> str:
    """Targets beside figures."""
    rows = []
    for row in judged:
        interval = "" if row["interval"] is None else f"{row['interval'][0]:.3g} to {row['interval'][1]:.3g}"
        value = "-" if row["value"] is None else f"{row['value']:.3g}"
        rows.append([row["name"], value, interval, row["target"], "met" if row["met"] else "**missed**"])
    return _table(["figure", "value", "95 % interval", "target", ""], rows)


def judges(table: dict) -> str:
    """Validation of the judges on raw renders."""
    parts = []
    for what in ("instruments", "styles"):
        rows = []
        for c, unseen in table["unseen"][what].items():
            tag, seen = table["unseen"][f"{what}, single tags"][c], table["seen"][what][c]
            numbers = [_number(judge[figure]) for judge in (seen, unseen, tag) for figure in ("auc", "hits")]
            claimed = "yes" if c in table["claimed"][what] else "no"
            rows.append([c, *numbers[:4], claimed, tag["tag"], *numbers[4:]])
        parts.append(_table([what[:-1], "AUC", "hit rate", "AUC, unseen font", "hit rate, unseen font", "claimed",
                             "best single tag", "its AUC, unseen font", "its hit rate"], rows))
    rows = [["drums or none: accuracy", *(_number(table[s]["drums"]["hits"]) for s in ("seen", "unseen"))],
            ["drums or none: AUC", *(_number(table[s]["drums"]["auc"], 3) for s in ("seen", "unseen"))]]
    rows += [[name, *(_with_interval(table[s][name]) for s in ("seen", "unseen"))] for name in ("mode", "root", "in key")]
    rows += [[f"tempo within 5 %{extra}", *(_with_interval(table[s]["tempo"][f"{name}"]) for s in ("seen", "unseen"))]
             for name, extra in (("right", ""), ("with octaves", ", half and double too"))]
    parts.append(_table(["", "training fonts", "unseen font"], rows))
    return "\n\n".join(parts)


def codec(figures: dict) -> str:
    """The codec's tables."""
    seen, unseen = figures["seen"], figures["unseen"]
    rows = [[name, _with_interval(seen[key]), _with_interval(unseen[key])] for name, key in (
        ("SI-SDR of solo clips, dB (median)", "si_sdr"), ("SI-SDR of bands and trios, dB (median)", "si_sdr_bands"),
        ("mel distance, nats", "mel"), ("log-spectral distance, dB", "log_spectral"))]
    parts = [_table(["", "training fonts", "unseen font"], rows)]
    parts.append(f"Codebook use over {figures['frames']} frames, {figures['codebook_size']} entries each: " + ", ".join(
        f"{book['used']:.0%} (perplexity {book['perplexity']:.0f})" for book in figures["codebooks"]) + ".")
    for what in ("instruments", "styles"):
        rows = [[c, _number(r["raw"]), _number(r["decoded"]), _with_interval({"value": r["ratio"], "interval": r["interval"]}),
                 _number(r["hits"]), _number(r["si_sdr"], 1), _number(unseen[what][c]["decoded"])]
                for c, r in seen[what].items() if c in figures["claimed"][what]]
        parts.append(_table([f"claimed {what[:-1]}", "AUC raw", "AUC decoded", "ratio", "hit rate decoded", "SI-SDR, dB",
                             "AUC decoded, unseen font"], rows))
    return "\n\n".join(parts)


def adherence(figures: dict) -> str:
    """What was asked and what was heard."""
    parts = [_table(["over all prompts", "rate"], [[name, _with_interval(figures[name])] for name in RATES])]
    rows = [[row["prompt"], _with_interval(row.get("instrument") or row.get("style")), row.get("heard instead", ""),
             _with_interval(row.get("drums")), _with_interval(row.get("mode")), _with_interval(row.get("tempo"))]
            for row in figures["prompts"]]
    parts.append(_table(["prompt", "instrument or style", "mostly heard instead", "drums as asked", "mode", "tempo"], rows))
    return "\n\n".join(parts)


def music(figures: dict) -> str:
    """In key, alive, not clipped."""
    return _table(["", "value"], [[name, _with_interval(found, 3)] for name, found in figures.items()])


def recital(figures: dict) -> str:
    """How near the training clips come."""
    return "\n\n".join([
        _table(["correlation of semitone energies", "value"], [
            ["two seeds of one prompt", _with_interval(figures["likeness of seeds"])],
            ["pairs of seeds that are the same (above 0.9)", _with_interval(figures["seeds alike"])],
            ["generated clip and its nearest training clip", _with_interval(figures["nearest"])],
            ["held-out render and its nearest training clip", _with_interval(figures["nearest, held-out renders"])],
            ["nearest of all generated clips", _number(figures["nearest of all"])],
            ["generated clips nearer than 99 % of held-out renders", _with_interval(figures["nearer than the limit"])],
            ["generated clips that are a training clip (above 0.9)", _with_interval(figures["recited"])]]),
        f"{figures['training clips']} training clips were made again from their seeds and searched eight times a second."])


def write(figures: dict, command: str) -> str:
    """The whole page."""
    about, speed = figures["about"], figures["speed"]
    claimed = figures["judges"]["claimed"]
    return f"""# Report on the model: {about['bundle']}

Generated by `{command}` from the shipped bundle (`bundle.json` {about['bundle_id'][:16]}), through the `tiller` command line:
{about['seeds']} seeds a prompt, clips of {about['seconds']:g} s, {about['held_out']} held-out clips. No figure comes from a clip
that was trained on. Every number is in [model.json](model.json). Intervals are of 95 %: Wilson's for one prompt, otherwise
bootstrapped over prompts and seeds.

## Targets

{summary(figures['targets'])}

Chance for the instrument is {1 / max(len(claimed['instruments']), 1):.2f}, for the style {1 / max(len(claimed['styles']), 1):.2f}.

## The judges, on raw renders

YAMNet and musicnn describe a clip; a linear discriminant, fitted on raw renders of the training fonts and never on audio
from a codec or model, names it. The tables are on other clips. A class is claimed with an AUC of {LEAST_AUC} and a hit rate
of {LEAST_HITS}, both in the training fonts and in the unseen one. Key and mode come from basic-pitch's notes; tempo is searched from 70 to 150 beats a
minute and asked for between 78 and 138: there half and double time lie outside the range, so they cannot be told from the right one.

{judges(figures['judges'])}

## The codec

{codec(figures['codec'] | {'claimed': claimed})}

![Held-out clips, raw above and decoded below](codec.png)

## Prompts followed

The top 1 is taken among the claimed classes.

{adherence(figures['adherence'])}

![Generated clips](prompts.png)

## The music

Shares and rates over the prompts for one pitched instrument; silence and clipping over all.

{music(figures['music'])}

## Not recited

{recital(figures['recital'])}

## Speed

On {about['machine']}, two threads: {speed['real_time_factor']:.1f} times real time for a {speed['take_seconds']:g} s take,
decoding included; first audio after {speed['first_audio_seconds']:.2f} s; a step costs
{speed['step_milliseconds_at_frame_50']:.1f} ms at frame 50.
"""
