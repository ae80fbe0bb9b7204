"""What is aimed at, and whether it was reached."""

# name -> (path into the figures, at least or at most, bound)
TARGETS = {
    "SI-SDR of solo clips, dB": (("codec", "seen", "si_sdr"), "at least", 8.0),
    "least-used codebook, share of its entries in use": (("codec", "least_used"), "at least", 0.6),
    "claimed classes whose AUC survives the codec (ratio 0.95)": (("codec", "surviving"), "at least", 1.0),
    "claimed instruments": (("judges", "claimed_count"), "at least", 10),
    "instrument, top 1 of the claimed": (("adherence", "instrument"), "at least", 0.6),
    "style, top 1 of the claimed": (("adherence", "style"), "at least", 0.5),
    "mode": (("adherence", "mode"), "at least", 0.8),
    "tempo within 5 %": (("adherence", "tempo"), "at least", 0.7),
    "share of notes in key": (("music", "in key"), "at least", 0.9),
    "silence": (("music", "silence"), "at most", 0.02),
    "clipping": (("music", "clipping"), "at most", 0.02),
    "recited clips": (("recital", "recited"), "at most", 0.0),
    "times real time on two cores": (("speed", "real_time_factor"), "at least", 10.0),
}


def judged(figures: dict) -> list:
    """For every target (name, value, interval or None, bound in words, whether met)."""
    rows = []
    for name, (path, sense, bound) in TARGETS.items():
        found = figures
        for step in path:
            found = found[step]
        value, interval = (found["value"], found["interval"]) if isinstance(found, dict) else (found, None)
        met = value is not None and (value >= bound if sense == "at least" else value <= bound)
        rows.append({"name": name, "value": value, "interval": interval, "target": f"{sense} {bound:g}", "met": bool(met)})
    return rows
