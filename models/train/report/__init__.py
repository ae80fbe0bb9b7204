"""The report on a bundle: what independent judges hear in what it ships, beside targets and with intervals."""
