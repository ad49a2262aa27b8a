"""Whether clients are busy: work that can wait does little while they are."""

from __future__ import annotations

QUIET_US = 5000
"""So long without a request, and nobody is in a hurry."""


class Traffic:
    """Told now and then how many requests were executed so far; `now_us` is `raw.monotonic_us`."""

    __slots__ = ("_request_us", "_requests")

    def __init__(self, requests: int = 0, request_us: int = -QUIET_US) -> None:
        """So many requests so far, the last one at that time."""
        self._requests = requests
        self._request_us = request_us

    def quiet_us(self, now_us: int, requests: int) -> int:
        """How long no request has come, as far as that was seen."""
        if requests != self._requests:
            self._requests = requests
            self._request_us = now_us
        return now_us - self._request_us
