"""The packaged VST3 away from its checkout, with nothing but what is inside it."""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import pedalboard

import vst3_preset
from common import PLUGIN, RATE, WARM_UP, take


class Package(unittest.TestCase):
    def test_model_and_runtime_are_found_inside_the_package(self):
        for variable in ("TILLER_BUNDLE", "TILLER_ONNXRUNTIME"):
            os.environ.pop(variable, None)
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TILLER_DATA"] = folder
            os.chdir(folder)
            copy = shutil.copytree(PLUGIN, Path(folder, "Tiller.vst3"))
            plugin = pedalboard.load_plugin(str(copy), initialization_timeout=WARM_UP)
            preset = plugin.preset_data
            state = vst3_preset.with_project(vst3_preset.read(preset), takes=[take(0.5)])
            plugin.preset_data = vst3_preset.write(preset, state)
            audio = plugin([([0x90, 60, 100], 0.0)], duration=0.5, sample_rate=RATE, num_channels=2)
            self.assertGreater(np.abs(audio).max(), 1e-3)


if __name__ == "__main__":
    unittest.main()
