"""A loop over independent pieces of work, in one process or in several, with the results in order."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator


def run(count: int, begin: Callable, arguments: tuple, do: Callable, jobs: Iterable) -> Iterator:
    """`do(job)` for each job. Every process calls `begin(*arguments)` first, and keeps what it needs in its module."""
    if count <= 1:
        begin(*arguments)
        yield from map(do, jobs)
        return
    # Not forked: a process that has used a GPU cannot be.
    with multiprocessing.get_context("spawn").Pool(count, begin, arguments) as pool:
        yield from pool.imap(do, jobs)


def add_argument(parser):
    """The option `--workers`."""
    parser.add_argument("--workers", type=int, default=1, help="processes that compose and render")
