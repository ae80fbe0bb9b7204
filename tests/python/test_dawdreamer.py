"""The VST3 in DawDreamer, which has a transport and renders faster than real time without saying so."""

import tempfile
import unittest
from pathlib import Path

import dawdreamer
import numpy as np

import vst3_preset
from common import PARAMETERS, PLUGIN, RATE, WARM_UP, take


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

    def restore_a_take(self, seconds: float, **settings):
        # DawDreamer does not say that it renders offline: told to wait always, a test need not care when that is known.
        # It cannot write a preset, so pedalboard says what a fresh instance's looks like.
        import pedalboard

        preset = pedalboard.load_plugin(PLUGIN, initialization_timeout=WARM_UP).preset_data
        state = vst3_preset.read(preset)
        settings = dict(vst3_preset.project(state)["settings"], wait="always", **settings)
        self.restore(vst3_preset.with_project(state, takes=[take(seconds)], settings=settings), preset)

    def test_parameter_names_and_order_are_frozen(self):
        names = [parameter["name"] for parameter in self.plugin.get_parameters_description()]
        self.assertEqual(names[: len(PARAMETERS)], PARAMETERS)

    def test_silent_without_a_take(self):
        self.assertEqual(np.abs(self.render(0.5)).max(), 0.0)

    def test_told_to_wait_always_it_misses_nothing_of_a_take_that_is_yet_to_be_made(self):
        self.restore_a_take(1.0)
        audio = self.render(2.0)
        self.assertTrue(np.isfinite(audio).all())
        self.assertGreater(np.abs(audio[:, :RATE]).max(), 1e-3)
        self.assertEqual(np.abs(audio[:, RATE + RATE // 4 :]).max(), 0.0)
        self.assertTrue(np.array_equal(audio, self.render(2.0)))

    def test_a_look_ahead_is_reported_and_delays_by_what_is_reported(self):
        self.restore_a_take(1.0)
        plain = self.render(1.0)
        self.setUp()
        self.restore_a_take(1.0, look_ahead_seconds=1.25)
        later = self.render(2.25)
        latency = self.plugin.get_latency_samples()
        self.assertEqual(latency, RATE * 5 // 4)
        # DawDreamer does not make up for it.
        self.assertEqual(np.abs(later[:, :latency]).max(), 0.0)
        self.assertTrue(np.array_equal(later[:, latency:], plain))

    def test_saved_state_plays_the_same_in_another_instance(self):
        self.restore_a_take(1.0)
        original = self.render(1.0)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, "state"))
            self.plugin.save_state(path)
            self.setUp()
            self.plugin.load_state(path)
        self.assertTrue(np.array_equal(original, self.render(1.0)))


if __name__ == "__main__":
    unittest.main()
