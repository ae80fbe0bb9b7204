"""The VST3 in Ardour 7: a session with automation, exported by Ardour's command line.

Ardour's Lua makes the session; what Lua cannot do is then written into the session's file: the plugin's state, the track's
connection to the master bus, that its automation
plays, and what is to be exported. Ardour sees a home folder of the test's own.
"""

import base64
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import vst3_preset

#: Where Debian keeps Ardour 7.
FOLDER = Path("/usr/lib/ardour7")
#: Length of the song in seconds.
SECONDS = 2.0

MAKE = """
local s = create_session("session", "session", {rate})
assert(s, "no session")
local plugin = ARDOUR.LuaAPI.new_plugin_info("Tiller", ARDOUR.PluginType.VST3)
assert(not plugin:isnil(), "Ardour does not know Tiller")
local one, two = ARDOUR.DataType("midi"), ARDOUR.DataType("audio")
local tracks = s:new_midi_track(ARDOUR.ChanCount(one, 1), ARDOUR.ChanCount(two, 2), true, plugin, nil, nil, 1, "Music",
    ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
for track in tracks:iter() do
    local _, curve, _ = ARDOUR.LuaAPI.plugin_automation(track:the_instrument(), 0)
    curve:add(Temporal.timepos_t(0), -1.0, false, true)
    curve:add(Temporal.timepos_t({frames}), 1.0, false, true)
end
s:save_state("")
close_session()
"""

#: What is exported: the song in ticks of a quarter note's 1,920th, at 120 quarter notes a minute.
RANGE = (
    f'<Locations><Location id="99000" name="session" start="b0" end="b{int(SECONDS * 2 * 1920)}" '
    'flags="IsSessionRange" locked="0"/></Locations>'
)

#: Ardour 7.3's export crashes or hangs in one of four runs on a busy machine, with an empty session as well; its Lua crashed
#: in one of forty, after it had closed the session.
ATTEMPTS = 6
#: Longest one run of it may take, in seconds.
LIMIT = 40


def version() -> str:
    """The version, as its library is named."""
    for path in FOLDER.glob("ardour-*"):
        found = re.fullmatch(r"ardour-(\d[\d.]*).*", path.name)
        if found:
            return found[1]
    raise RuntimeError(f"{FOLDER} holds no Ardour 7")


class Ardour:
    """Ardour with a home folder of its own, in which it finds the plugin."""

    def __init__(self, plugin: str, home: Path):
        self.home = home
        self.environment = dict(os.environ, HOME=str(home), LD_LIBRARY_PATH=str(FOLDER))
        for variable in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
            self.environment.pop(variable, None)
        self.plugin = Path(home, ".vst3", "Tiller.vst3")
        shutil.copytree(plugin, self.plugin)
        self.run(FOLDER / "ardour-vst3-scanner", "-f", "-q", self.plugin)

    def run(self, *command, limit: float = 120):
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit,
            check=False,
        )
        if done.returncode:
            output = done.stdout.decode(errors="replace").replace("\r", "\n")
            raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{output}")

    @staticmethod
    def attempted(action):
        """What `action` gives, which is begun anew when Ardour ends early or hangs."""
        for left in reversed(range(ATTEMPTS)):
            try:
                return action()
            except (RuntimeError, subprocess.TimeoutExpired):
                if not left:
                    raise

    def session(self, rate: int, state: dict):
        """Makes `session/session.ardour`, whose one track holds the plugin with this state."""
        script = self.home / "make.lua"
        script.write_text(MAKE.format(rate=rate, frames=int(SECONDS * rate)))

        def make():
            shutil.rmtree(self.home / "session", ignore_errors=True)
            self.run("ardour7-lua", script, limit=LIMIT)

        self.attempted(make)
        file = self.home / "session" / "session.ardour"
        text = file.read_text()
        text, chunks = re.subn(r"(<chunk>)(.*?)(</chunk>)", lambda m: m[1] + with_state(m[2], state) + m[3], text, flags=re.S)
        for side in (1, 2):
            # Some configurations connect it by themselves.
            port, to = f'<Port type="audio" name="Music/audio_out {side}"', f"Master/audio_in {side}"
            text = text.replace(port + "/>", f'{port}><Connection other="{to}"/></Port>')
        text, curves = re.subn(r'(automation-id="parameter-0" [^>]*state=)"Off"', r'\1"Play"', text)
        text, ranges = re.subn("<Locations/>", RANGE, text)
        if (chunks, curves, ranges) != (1, 1, 1):
            raise RuntimeError(f"the session's file is not as expected: {chunks}, {curves}, {ranges}")
        file.write_text(text)

    def export(self, name: str) -> np.ndarray:
        """Bounces the session, in a process of its own."""
        out = self.home / f"{name}.wav"

        def bounce():
            out.unlink(missing_ok=True)
            self.run("ardour7-export", "-b", "float", "-o", out, "session", "session", limit=LIMIT)
            return float_wav(out)

        return self.attempted(bounce)


def with_state(chunk: str, state: dict) -> str:
    preset = base64.b64decode("".join(chunk.split()))
    return base64.b64encode(vst3_preset.write(preset, state)).decode()


def float_wav(path: Path) -> np.ndarray:
    """Both channels of a 32-bit float WAV, which Python's `wave` does not read."""
    data = path.read_bytes()
    at = 12
    while data[at : at + 4] != b"data":
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    return np.frombuffer(data[at + 8 : at + 8 + size], "<f4").reshape(-1, 2).T


def shifted(audio: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether this is all that is wanted, a little earlier or later. One export in thirty or so came 16 samples early as a
    whole; it is tried again, so that only a shift that stays is a difference."""
    length = min(audio.shape[1], wanted.shape[1])
    reach = 64
    middle = wanted[:, reach : length - reach]
    places = (audio[:, at : at + middle.shape[1]] for at in range(2 * reach + 1) if at != reach)
    return any(np.array_equal(place, middle) for place in places)


def cells(plugin: str, folder: Path, rates, reference, verdict):
    """The matrix's lines. Ardour's export takes the block size of its engine."""
    name = f"Ardour {version()}, VST3"
    state = vst3_preset.read((folder / "preset.vstpreset").read_bytes())
    with tempfile.TemporaryDirectory() as home:
        ardour = Ardour(plugin, Path(home))
        for rate in rates:
            wanted = reference(folder, "song", rate)
            ardour.session(rate, state)
            for bounce in ("first", "second", "reload"):
                for _ in range(ATTEMPTS):
                    audio = ardour.export(bounce)
                    if not shifted(audio, wanted):
                        break
                yield name, "export", rate, "its own", bounce, verdict(audio, wanted, rate)
