"""The VST3 in DawDreamer, which has a transport and renders faster than real time without saying so."""

import tempfile
import time
import unittest
from pathlib import Path

import dawdreamer
import numpy as np

import vst3_preset
from common import PARAMETERS, PLUGIN, RATE, WARM_UP, take

#: Longest a take of a second may take to render, in seconds.
PATIENCE = 60.0


class DawDreamer(unittest.TestCase):
    def setUp(self):
        self.engine = dawdreamer.RenderEngine(RATE, 512)
        self.plugin = self.engine.make_plugin_processor("tiller", PLUGIN)
        self.engine.load_graph([(self.plugin, [])])

    def render(self, seconds: float) -> np.ndarray:
        self.engine.render(seconds)
        return self.engine.get_audio()

    def restore(self, state: dict, preset: bytes):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "tiller.vstpreset")
            path.write_bytes(vst3_preset.write(preset, state))
            self.assertTrue(self.plugin.load_vst3_preset(str(path)))

    def restore_a_take(self, seconds: float):
        # DawDreamer cannot write a preset, so pedalboard says what a fresh instance's looks like.
        import pedalboard

        preset = pedalboard.load_plugin(PLUGIN, initialization_timeout=WARM_UP).preset_data
        self.restore(vst3_preset.with_project(vst3_preset.read(preset), takes=[take(seconds)]), preset)

    def render_when_ready(self, seconds: float) -> np.ndarray:
        """Renders until two renders in a row are the same sound: this host never waits for a take."""
        last = self.render(seconds)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            time.sleep(0.5)
            audio = self.render(seconds)
            if np.abs(audio).max() > 1e-3 and np.array_equal(audio, last):
                return audio
            last = audio
        self.fail(f"the take was not ready after {PATIENCE} s")

    def test_parameter_names_and_order_are_frozen(self):
        names = [parameter["name"] for parameter in self.plugin.get_parameters_description()]
        self.assertEqual(names[: len(PARAMETERS)], PARAMETERS)

    def test_silent_without_a_take(self):
        self.assertEqual(np.abs(self.render(0.5)).max(), 0.0)

    def test_a_restored_take_plays_at_the_songs_start(self):
        self.restore_a_take(1.0)
        audio = self.render_when_ready(2.0)
        self.assertTrue(np.isfinite(audio).all())
        self.assertEqual(np.abs(audio[:, RATE + RATE // 4 :]).max(), 0.0)

    def test_saved_state_plays_the_same_in_another_instance(self):
        self.restore_a_take(1.0)
        original = self.render_when_ready(1.0)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, "state"))
            self.plugin.save_state(path)
            self.setUp()
            self.plugin.load_state(path)
        self.assertTrue(np.array_equal(original, self.render_when_ready(1.0)))


if __name__ == "__main__":
    unittest.main()
