"""Half a second of A (440 Hz at half of full scale) in the formats that lab/audio.rs is tested on.

    pip install numpy soundfile
    python record_audio.py
"""

from pathlib import Path

import numpy as np
import soundfile

FOLDER = Path(__file__).parent / "data" / "audio"
RATE = 22_050

tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE)
FOLDER.mkdir(exist_ok=True)
for name in ["tone.aiff", "tone.mp3", "tone.ogg"]:
    soundfile.write(FOLDER / name, tone, RATE)
# Two channels, one of them at twice the level of the other.
soundfile.write(FOLDER / "tone.flac", np.stack([tone * 4 / 3, tone * 2 / 3], axis=1), RATE)
