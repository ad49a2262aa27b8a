"""For tests of programs that use Redis Streams: stores to break, and time to move.

The fixtures are in `headwater.testing.plugin`, which pytest loads by itself; the classes they
give are here. Nothing heavy is imported before a test asks for a fixture.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headwater.testing.clock import Clock as Clock
    from headwater.testing.store import Store as Store

__all__ = ["Clock", "Store"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"headwater.testing.{name.lower()}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
