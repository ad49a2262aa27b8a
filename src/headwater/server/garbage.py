"""Python's collector of cyclic garbage, kept away from what is stored."""

from __future__ import annotations

import gc

_NEVER = 1 << 30


def spare_the_data() -> None:
    """Let the collector look at young objects only, in this process.

    It would look through everything again and again while data grows: a tenth of a second for
    200,000 streams, in the middle of some request. What the program drops is freed by reference
    counts; it makes no cycles that live for longer than the young generations.
    """
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _NEVER)
    gc.freeze()


def settle() -> None:
    """Have the young objects looked at once, and then never again; about ten times a second.

    Left alone that happens when there are several thousand of them, and each may list hundreds
    of keys: 50 ms then, as none of what they list would be in the processor's caches any more.
    """
    gc.collect(1)
