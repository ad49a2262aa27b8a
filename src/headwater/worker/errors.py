"""What the worker library raises by itself; what redis-py raises passes through as it is."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.errors import HeadwaterError


class WorkerError(HeadwaterError):
    """Base of the errors of this library."""


class ConfigurationError(WorkerError):
    """What was asked for cannot be done with these options, or on this server."""


class PoisonError(WorkerError):
    """The fields of an entry do not fit the model; the text says which, and why."""


class Reject(WorkerError):  # noqa: N818
    """Raised by a handler: this entry will never work, make it a dead letter at once."""


class SendError(WorkerError):
    """Some entries of a batch could not be added.

    `results` has one item for each entry of the batch, in its order: the ID that it was given, or
    the error that its XADD got, or None where it was not tried.
    """

    def __init__(self, results: Sequence[str | Exception | None]) -> None:
        self.results = list(results)
        failed = [result for result in self.results if isinstance(result, Exception)]
        added = sum(isinstance(result, str) for result in self.results)
        super().__init__(f"{added} of {len(self.results)} entries were added; {failed[0]}")
