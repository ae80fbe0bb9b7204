"""Chooses PyTorch's thread count while training, on machines that others use too.

Threads that wait for one another crawl as soon as one core is taken: with two threads on two
cores and one busy neighbour a step takes ten times as long, with one thread twice as long.
"""

import os
import resource
import time

import torch


class Threads:
    """Call once a step; every few seconds it sets one thread for each core the others leave free."""

    def __init__(self, most: int, every: float = 3.0):
        self.most, self.every, self.current = most, every, most
        torch.set_num_threads(most)
        self.last = self._read()

    @staticmethod
    def _read():
        """(wall seconds, busy core-seconds of the machine, of this process)."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        try:
            fields = open("/proc/stat").readline().split()[1:8]
        except OSError:
            return time.time(), 0.0, 0.0
        user, nice, system, _, _, irq, soft = map(int, fields)
        if os.nice(0) > 0:
            user += nice  # Niced neighbours give way to a process that is not niced itself.
        return time.time(), (user + system + irq + soft) / os.sysconf("SC_CLK_TCK"), own.ru_utime + own.ru_stime

    def __call__(self):
        """Looks at the neighbours and adapts."""
        if time.time() - self.last[0] < self.every:
            return
        now = self._read()
        wall, busy, own = (b - a for a, b in zip(self.last, now))
        self.last = now
        neighbours = max(0.0, busy - own) / wall
        want = max(1, min(self.most, round((os.cpu_count() or 1) - neighbours + 0.1)))
        if want != self.current:
            self.current = want
            torch.set_num_threads(want)
