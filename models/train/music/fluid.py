"""A thin ctypes wrapper round libfluidsynth: one synth, many notes, no files."""

import ctypes
import ctypes.util

import numpy as np


class Fluid:
    """A synth with one sound font loaded; renders mono float32 at `rate` Hz, effects off."""

    def __init__(self, font: str, rate: int):
        name = ctypes.util.find_library("fluidsynth")
        if not name:
            raise SystemExit("libfluidsynth is missing: apt install libfluidsynth3")
        self.lib = lib = ctypes.CDLL(name)
        for function in ("new_fluid_settings", "new_fluid_synth"):
            getattr(lib, function).restype = ctypes.c_void_p
        settings = ctypes.c_void_p(lib.new_fluid_settings())
        for key in (b"synth.reverb.active", b"synth.chorus.active"):
            lib.fluid_settings_setint(settings, key, 0)
        lib.fluid_settings_setnum(settings, b"synth.sample-rate", ctypes.c_double(rate))
        lib.fluid_settings_setnum(settings, b"synth.gain", ctypes.c_double(0.6))
        self.synth = ctypes.c_void_p(lib.new_fluid_synth(settings))
        if lib.fluid_synth_sfload(self.synth, font.encode(), 1) < 0:
            raise SystemExit(f"the sound font {font} cannot be read")

    def note(self, program: int, key: int, velocity: int, samples: int, drum: bool = False) -> np.ndarray:
        """One held note, [samples]."""
        lib, synth, channel = self.lib, self.synth, 9 if drum else 0
        lib.fluid_synth_system_reset(synth)
        if not drum:
            lib.fluid_synth_program_change(synth, channel, program)
        lib.fluid_synth_noteon(synth, channel, key, velocity)
        left, right = np.zeros(samples, np.float32), np.zeros(samples, np.float32)
        lib.fluid_synth_write_float(synth, samples, left.ctypes.data_as(ctypes.c_void_p), 0, 1,
                                    right.ctypes.data_as(ctypes.c_void_p), 0, 1)
        return (left + right) / 2
