"""The VST3 in Spotify's pedalboard, which renders offline, says so, and sends no transport."""

import time
import unittest

import numpy as np
import pedalboard

import vst3_preset
from common import PARAMETERS, PLUGIN, RATE, WARM_UP, take

NOTE = [([0x90, 60, 100], 0.0)]


def load():
    return pedalboard.load_plugin(PLUGIN, initialization_timeout=WARM_UP)


def restored(seconds: float):
    """An instance whose project holds one take of that length, not rendered yet."""
    plugin = load()
    preset = plugin.preset_data
    state = vst3_preset.with_project(vst3_preset.read(preset), takes=[take(seconds)])
    plugin.preset_data = vst3_preset.write(preset, state)
    return plugin


def render(plugin, seconds: float, block: int = 512) -> np.ndarray:
    return plugin(NOTE, duration=seconds, sample_rate=RATE, num_channels=2, buffer_size=block)


class Pedalboard(unittest.TestCase):
    def test_loads_as_a_stereo_instrument(self):
        plugin = load()
        self.assertTrue(plugin.is_instrument)
        self.assertEqual(plugin.name, "Tiller")
        self.assertEqual(render(plugin, 0.1).shape, (2, RATE // 10))

    def test_parameter_names_and_order_are_frozen(self):
        names = [parameter.name for parameter in load().parameters.values()]
        # Some hosts list the hidden one after these.
        self.assertEqual(names[: len(PARAMETERS)], PARAMETERS)

    def test_silent_without_a_take(self):
        self.assertEqual(np.abs(render(load(), 0.5)).max(), 0.0)

    def test_a_note_plays_a_restored_take_and_the_bounce_waits_for_it(self):
        audio = render(restored(1.0), 1.5)
        self.assertTrue(np.isfinite(audio).all())
        self.assertGreater(np.abs(audio[:, : RATE // 2]).max(), 1e-3)
        self.assertEqual(np.abs(audio[:, RATE + RATE // 4 :]).max(), 0.0)

    def test_saved_state_renders_the_same_in_another_instance_and_block_size(self):
        first = restored(1.0)
        original = render(first, 1.0)
        second = load()
        second.raw_state = first.raw_state
        self.assertTrue(np.array_equal(original, render(second, 1.0, block=96)))

    def test_tokens_come_back_in_the_state(self):
        plugin = restored(1.0)
        render(plugin, 1.0)
        # The last sample is heard a moment before the take is entered as finished.
        for _ in range(100):
            (made,) = vst3_preset.project(vst3_preset.read(plugin.preset_data))["takes"]
            if made["codes"]:
                break
            time.sleep(0.1)
        self.assertGreater(made["codes"]["frames"], 0)

    def test_parameters_survive_the_state(self):
        first, second = load(), load()
        # Raw values: by name, pedalboard rounds to one of a thousand steps.
        for name, value in {"seed": 0.25, "steer_1": 0.125}.items():
            first.parameters[name].raw_value = value
        # pedalboard takes the sidechain for a main input, tries it with noise and leaves the plugin processing; values then
        # come with the next block.
        render(first, 0.1)
        second.raw_state = first.raw_state
        for name in ("seed", "steer_1"):
            self.assertAlmostEqual(
                second.parameters[name].raw_value, first.parameters[name].raw_value, places=4, msg=name
            )


if __name__ == "__main__":
    unittest.main()
