"""Synthesised, captioned music: what is played (grammar), how it sounds (bank), what it is called."""
