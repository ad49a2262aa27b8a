"""What a consumer decides: what to read, to keep, to try again, to give up and to give back.

A Machine has the entries that a consumer holds, and two flows (wire.py) that are driven side by
side: `reading` gets entries, and waits for new ones on the server; `keeping` tells the server what
became of them, and that they are still worked on. The consumer takes entries (`take`) and says how
each ended (`settle`). Nothing here knows a client, a thread or an event loop; where several
threads use a Machine, one lock is held around each call, and around each step of a flow, but never
while a flow's effect is carried out.

Guarantees:
- An entry is acknowledged only after `settle` said so; one that was not settled stays pending.
- What others have taken, or acknowledged, is not touched any more (scripts.py looks first).
- An entry that is held is shown to be alive three times within the time that others wait for.
- After an interruption everything pending under this consumer's name is looked for, as a reply
  may have been lost.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from headwater.worker import features, scripts
from headwater.worker.errors import WorkerError
from headwater.worker.held import Held, Place, Verdict
from headwater.worker.options import (
    CONSUMER_TTL,
    Options,
    Terms,
    managed_terms,
    ms,
    own_terms,
)
from headwater.worker.wire import (
    Flow,
    Pause,
    Word,
    as_bytes,
    as_fields,
    as_text,
    claimed_ids,
    entries_read,
    evaluate,
    is_full,
    is_gone,
    is_passing,
    mapping,
    pending_rows,
)

log = logging.getLogger("headwater.worker")

SWEEP_COUNT = 100
"""So many of the entries pending under our name are looked at in one step."""

SCRIPT_IDS = 500
"""No script is given more IDs: it must not keep others waiting."""

LONG_IDLE_MS = 86_400_000
"""An entry that is given back has been idle for so long: whoever looks takes it."""

TERMS_EVERY = 30.0
"""Seconds until it is looked whether the group's settings are still the same."""

TIDY_EVERY = 600.0
"""Seconds until names of killed workers are looked for again; the first time within a minute."""

RECONNECT_BASE = 0.05

MAX_WAITING = 10_000
"""With more entries that wait to be tried again no new ones are read."""


def _nothing() -> None:
    """A place for who is to be woken, until there is somebody."""


class Machine:
    """See above. `clock` is seconds that never go back.

    Its user sets three functions: `on_ready` is called when there is something to take,
    `wake_reader` and `wake_keeper` end the pauses of the flows.
    """

    def __init__(
        self,
        options: Options,
        name: str,
        *,
        clock: Callable[[], float],
        rng: random.Random | None = None,
        block_limit: float | None = None,
        in_cluster: bool = False,
    ) -> None:
        self.options = options
        self.name = name
        self.terms = Terms()
        self.stopping = False
        self.closing = False
        self.on_ready: Callable[[], None] = _nothing
        self.wake_reader: Callable[[], None] = _nothing
        self.wake_keeper: Callable[[], None] = _nothing
        self._clock = clock
        self._rng = rng or random.Random()
        self._in_cluster = in_cluster
        self._block = min(options.block, block_limit) if block_limit else options.block
        self._capacity = options.concurrency + options.prefetch
        self._held: dict[bytes, Held] = {}
        self._ready: deque[Held] = deque()
        self._out = 0
        self._waiting: dict[bytes, Held] = {}
        self._verdicts: dict[Verdict, list[Held]] = {verdict: [] for verdict in Verdict}
        self._unsaid = 0
        self._is_set_up = False
        self._was_set_up = False
        self._sweep: bytes | None = b"-"
        self._claim_cursor = b"0-0"
        self._claim_at = 0.0
        self._beat_at = 0.0
        self._terms_at = 0.0
        self._tidy_at = 0.0
        self._read_failures = 0
        self._keep_failures = 0

    # --- asked and told by the consumer ---

    @property
    def out(self) -> int:
        """Entries that were taken and not settled."""
        return self._out

    @property
    def held(self) -> int:
        """Entries that are ours in whatever way."""
        return len(self._held)

    @property
    def is_full(self) -> bool:
        """Whether everything that may be held was taken, and none of it settled."""
        return self._out >= self._capacity

    @property
    def all_said(self) -> bool:
        """Whether the server knows of all that was settled."""
        return self._unsaid == 0

    def take(self) -> Held | None:
        """The next entry to work on, if there is one."""
        if not self._ready:
            return None
        held = self._ready.popleft()
        held.place = Place.OUT
        self._out += 1
        return held

    def settle(
        self,
        held: Held,
        verdict: Verdict,
        told: Callable[[Exception | None], None] | None = None,
    ) -> bool:
        """Say how an entry ended that was taken; False: that was said before."""
        if held.place is not Place.OUT:
            return False
        self._out -= 1
        held.told = told
        if self._held.get(held.id) is not held or (held.lost and verdict is not Verdict.ACK):
            self._drop(held)
        elif verdict is Verdict.FAIL and not self.terms.managed:
            self._fail(held)
        else:
            self._say(held, verdict)
        self.wake_reader()
        return True

    def stop(self) -> None:
        """Read no more; give back what nobody works on."""
        if self.stopping:
            return
        log.info("%s: stopping", self._label())
        self.stopping = True
        while self._ready:
            self._say(self._ready.popleft(), Verdict.RETURN)
        for held in list(self._waiting.values()):
            del self._waiting[held.id]
            self._say(held, Verdict.RETURN)
        self.wake_reader()
        self.wake_keeper()

    def close(self) -> None:
        """Give back what was taken and not settled; `keeping` ends when the server knows it all."""
        self.stop()
        for held in list(self._held.values()):
            if held.place is Place.OUT:
                self._out -= 1
                self._say(held, Verdict.RETURN)
        self.closing = True
        self.wake_keeper()

    def abandon(self) -> None:
        """The flows have ended: whoever waits for the server to know of an entry is told so."""
        for held in list(self._held.values()):
            self._drop(held, WorkerError("the consumer ended before the server was told"))

    def _fail(self, held: Held) -> None:
        """An entry failed, on a server that leaves what follows to us."""
        deliveries = held.deliveries or 1
        if deliveries >= self.terms.max_deliveries:
            self._say(held, Verdict.BURY)
            return
        held.retry_at = self._clock() + self.terms.wait_after(deliveries)
        if self.stopping:
            self._say(held, Verdict.RETURN)
            return
        held.place = Place.WAITING
        held.fields = {}
        self._waiting[held.id] = held
        if held.told is not None:
            held.told(None)
            held.told = None

    def _say(self, held: Held, verdict: Verdict) -> None:
        if self._held.get(held.id) is not held:
            return
        held.place = Place.SETTLING
        self._verdicts[verdict].append(held)
        self._unsaid += 1
        self.wake_keeper()

    def _drop(self, held: Held, error: Exception | None = None) -> None:
        """The entry is no business of ours any more."""
        if self._held.get(held.id) is held:
            del self._held[held.id]
            self._waiting.pop(held.id, None)
        if held.told is not None:
            held.told(error)
            held.told = None

    def _forget_all(self) -> None:
        """The group was deleted, and nothing is pending in the new one: what we have may be worked
        on, but the server is told nothing of it, as entries of a new stream may have its IDs."""
        for held in list(self._held.values()):
            held.lost = True
            if held.place is not Place.OUT:
                self._drop(held)
        self._held.clear()
        for batch in self._verdicts.values():
            self._unsaid -= len(batch)
            batch.clear()

    # --- reading ---

    def reading(self) -> Flow[None]:
        """Get entries until `stop`: our own of earlier, others' that lapsed, retries, new ones."""
        while not self.stopping:
            try:
                yield from self._read_step()
                self._read_failures = 0
            except Exception as error:
                if is_gone(error):
                    log.warning("%s: %s; it is made again", self._label(), error)
                elif not is_passing(error):
                    raise
                self._is_set_up = False
                self._sweep = b"-"
                if is_passing(error):
                    wait = self._reconnect_wait(self._read_failures)
                    self._read_failures += 1
                    log.warning("%s: %s; next try in %.2f s", self._label(), error, wait)
                    yield Pause(wait)

    def _read_step(self) -> Flow[None]:
        if not self._is_set_up:
            yield from self._set_up()
        room = self._capacity - (len(self._held) - len(self._waiting))
        if room <= 0 or (self._ready and room * 2 < self._capacity):
            yield Pause(None)
            return
        now = self._clock()
        if self._sweep is not None:
            yield from self._sweep_step(room)
            return
        if len(self._waiting) >= MAX_WAITING:
            yield Pause(min(held.retry_at for held in self._waiting.values()) - now)
        if self._waiting:
            due = [held.id for held in self._waiting.values() if held.retry_at <= now]
            if due:
                yield from self._take_again(due[:room])
                return
        if not self.terms.managed and now >= self._claim_at:
            yield from self._claim_step(room)
            return
        yield from self._read_new(room, now)

    def _read_new(self, room: int, now: float) -> Flow[None]:
        wait = self._block
        for held in self._waiting.values():
            wait = min(wait, held.retry_at - now)
        if not self.terms.managed:
            wait = min(wait, self._claim_at - now)
        command = ("XREADGROUP", "GROUP", self.options.group, self.name, "COUNT", room)
        answer = yield (
            *command,
            *("BLOCK", ms(wait), "STREAMS", self.options.stream, ">"),
        )
        now = self._clock()
        known = None if self.terms.managed else 1
        for entry_id, fields in entries_read(answer):
            self._add(entry_id, fields, known, now)

    def _add(
        self, entry_id: bytes, fields: dict[bytes, bytes], deliveries: int | None, now: float
    ) -> None:
        """An entry was delivered to us."""
        before = self._held.get(entry_id)
        if before is not None:
            if before.place is not Place.WAITING:
                # It lapsed, and came back to us: whoever works on it goes on.
                before.touched = now
                before.deliveries = deliveries
                before.lost = False
                return
            del self._waiting[entry_id]
        held = self._held[entry_id] = Held(entry_id, fields, deliveries, now)
        if self.stopping:
            self._say(held, Verdict.RETURN)
            return
        self._ready.append(held)
        self.on_ready()

    def _sweep_step(self, room: int) -> Flow[None]:
        """Look for entries that are pending under our name, and that we do not know of."""
        assert self._sweep is not None
        count = min(room, SWEEP_COUNT)
        words = (self.options.stream, self.options.group, self._sweep, "+", count, self.name)
        rows = pending_rows((yield ("XPENDING", *words)))
        unknown = [entry_id for entry_id, _ in rows if entry_id not in self._held]
        self._sweep = b"(" + rows[-1][0] if len(rows) == count else None
        if unknown:
            log.info("%s: %d entries of ours were left", self._label(), len(unknown))
            yield from self._take_again(unknown)

    def _claim_step(self, room: int) -> Flow[None]:
        """Take what others, or we ourselves, have let lapse."""
        idle = ms(self.terms.waits[0])
        words = (self.options.stream, self.options.group, self.name, idle, self._claim_cursor)
        answer = yield ("XAUTOCLAIM", *words, "COUNT", room, "JUSTID")
        self._claim_cursor, claimed = claimed_ids(answer)
        if self._claim_cursor == b"0-0":
            every = self.options.claim_every or max(0.1, self.terms.waits[0] / 2)
            self._claim_at = self._clock() + every * self._rng.uniform(0.8, 1.2)
        unknown = [entry_id for entry_id in claimed if entry_id not in self._held]
        if unknown:
            yield from self._take_again(unknown)

    def _take_again(self, ids: list[bytes]) -> Flow[None]:
        """Have entries delivered once more that are ours, or bury those that had enough."""
        managed = self.terms.managed
        keys: list[Word] = [self.options.stream]
        if not managed:
            keys.append(self.terms.dead_letter)
        most = 0 if managed else self.terms.max_deliveries
        answer = yield from evaluate(
            scripts.TAKE, keys, (self.options.group, self.name, most, *ids)
        )
        now = self._clock()
        taken = set()
        for row in answer:
            entry_id, deliveries = as_bytes(row[0]), int(row[1])
            if deliveries < 0:
                self._log_dead(entry_id, "max-deliveries")
                continue
            taken.add(entry_id)
            self._add(entry_id, as_fields(row[2]), deliveries, now)
        for entry_id in ids:
            if entry_id not in taken and entry_id in self._waiting:
                self._drop(self._waiting[entry_id])

    # --- keeping ---

    def keeping(self) -> Flow[None]:
        """Tell the server what became of entries, until all is told after `close`."""
        while True:
            try:
                if self._unsaid:
                    yield from self._flush()
                elif self.closing:
                    return
                else:
                    yield from self._keep_step()
                self._keep_failures = 0
            except Exception as error:
                if not is_passing(error) and not is_gone(error):
                    raise
                wait = self._reconnect_wait(self._keep_failures)
                self._keep_failures += 1
                yield Pause(wait)

    def _keep_step(self) -> Flow[None]:
        now = self._clock()
        every = self.terms.beat
        if every is None:
            # Entries are ours while the connection lives that they were taken over.
            every = TERMS_EVERY
        elif now >= self._beat_at:
            self._beat_at = now + every
            ids = [held.id for held in self._held.values() if held.touched <= now - every / 2]
            for i in range(0, len(ids), SCRIPT_IDS):
                yield from self._beat(ids[i : i + SCRIPT_IDS])
        if self.terms.managed and now >= self._terms_at and self._is_set_up:
            yield from self._read_terms()
        if not self.terms.managed and now >= self._tidy_at and self._is_set_up:
            yield from self._tidy(now)
        if not self._unsaid:
            yield Pause(max(0.0, min(self._beat_at, now + every) - self._clock()))

    def _tidy(self, now: float) -> Flow[None]:
        """Delete what killed workers left of themselves; Headwater does so by CONSUMERTTL."""
        self._tidy_at = now + TIDY_EVERY * self._rng.uniform(0.8, 1.2)
        words = (self.options.group, self.name, ms(CONSUMER_TTL))
        try:
            yield from evaluate(scripts.TIDY, (self.options.stream,), words)
        except Exception as error:
            if is_passing(error) or is_gone(error):
                raise
            log.debug("%s: names of killed workers stay: %s", self._label(), error)

    def _beat(self, ids: list[bytes]) -> Flow[None]:
        """Show that entries are worked on; find out which are not ours any more."""
        started = self._clock()
        words: list[Word] = [self.options.group, self.name, *ids]
        answer = yield from evaluate(scripts.BEAT, (self.options.stream,), words)
        kept = {as_bytes(one) for one in answer}
        for entry_id in ids:
            held = self._held.get(entry_id)
            if held is None:
                continue
            if entry_id in kept:
                held.touched = started
            elif held.place is Place.OUT:
                if not held.lost:
                    log.warning(
                        "%s: entry %s was acknowledged or taken by another consumer while it was "
                        "worked on",
                        self._label(),
                        as_text(entry_id),
                    )
                held.lost = True
            elif held.place is Place.READY:
                self._ready.remove(held)
                self._drop(held)
                self.wake_reader()
            elif held.place is Place.WAITING:
                self._drop(held)

    def _flush(self) -> Flow[None]:
        """Tell the server the verdicts."""
        for verdict in Verdict:
            while self._verdicts[verdict]:
                batch = self._verdicts[verdict][:SCRIPT_IDS]
                del self._verdicts[verdict][: len(batch)]
                error: Exception | None = None
                try:
                    yield from self._tell(verdict, batch)
                except Exception as raised:
                    if is_passing(raised):
                        self._verdicts[verdict][:0] = batch
                        raise
                    error = raised
                    if is_gone(raised):
                        error = None  # with the group everything is gone that could be settled
                    else:
                        log.error(
                            "%s: %d entries could not be settled (%s), they stay pending: %s",
                            *(self._label(), len(batch), verdict.value, raised),
                        )
                self._unsaid -= len(batch)
                for held in batch:
                    if error is None and verdict in (Verdict.REJECT, Verdict.BURY):
                        reason = "fatal" if verdict is Verdict.REJECT else "max-deliveries"
                        self._log_dead(held.id, reason)
                    self._drop(held, error)
                self.wake_reader()

    def _tell(self, verdict: Verdict, batch: list[Held]) -> Flow[Any]:
        stream, group = self.options.stream, self.options.group
        ids = [held.id for held in batch]
        managed = self.terms.managed
        if verdict is Verdict.ACK:
            return (yield ("XACK", stream, group, *ids))
        if verdict is Verdict.FAIL:
            return (yield from self._nack("FAIL", ids))
        if managed and verdict is Verdict.RETURN:
            return (yield from self._nack("SILENT", ids))
        if managed and verdict is Verdict.REJECT and self.terms.max_deliveries:
            return (yield from self._nack("FATAL", ids))
        if verdict is Verdict.RETURN:
            words = [word for held in batch for word in self._returned(held)]
            return (yield from evaluate(scripts.RETURN, (stream,), (group, self.name, *words)))
        reason = "fatal" if verdict is Verdict.REJECT else "max-deliveries"
        keys = (stream, self.terms.dead_letter)
        return (yield from evaluate(scripts.BURY, keys, (group, self.name, reason, *ids)))

    def _nack(self, mode: str, ids: Iterable[bytes]) -> Flow[Any]:
        words: list[Word] = [self.options.group, self.name, mode, *ids]
        return evaluate(scripts.NACK, (self.options.stream,), words)

    def _returned(self, held: Held) -> tuple[Word, Word, Word]:
        """ID, how long it shall have been idle, and how many deliveries not to count."""
        if held.retry_at == 0.0:
            return held.id, LONG_IDLE_MS, 1
        # It failed: others get it when its time has come, as well as that can be said.
        left = held.retry_at - self._clock()
        return held.id, max(0, round((self.terms.waits[0] - left) * 1000)), 0

    # --- setting up ---

    def _set_up(self) -> Flow[None]:
        """Make the group, agree on its settings, and show that what we hold is ours."""
        known = yield from features.ask()
        start = self.options.start
        if self._was_set_up:
            start = "0"  # it was deleted: what is in the stream now was added after that
        group = (self.options.stream, self.options.group)
        try:
            yield ("XGROUP", "CREATE", *group, start, "MKSTREAM")
            if self._was_set_up:
                self._forget_all()
        except Exception as error:
            if is_full(error):
                # It cannot be made, but it may be there, and working on it makes room.
                try:
                    yield ("XPENDING", *group)
                except Exception:
                    raise error from None
            elif not str(error).startswith("BUSYGROUP"):
                raise
        if known.settings:
            current = mapping((yield ("XGROUP CFGGET", *group)))
            words = self.options.to_set(current)
            if words:
                yield ("XGROUP CFGSET", *group, *words)
            yield from self._read_terms()
        else:
            features.check(known)
            self.terms = own_terms(self.options, self._in_cluster)
        if self._was_set_up:
            ids = [held.id for held in self._held.values() if held.place is not Place.SETTLING]
            for i in range(0, len(ids), SCRIPT_IDS):
                yield from self._beat(ids[i : i + SCRIPT_IDS])
        self._is_set_up = self._was_set_up = True
        # A crowd of consumers that start together does not look for others' entries all at once.
        self._claim_at = self._clock() + self._rng.uniform(0.0, 0.1)
        self._beat_at = 0.0
        self._tidy_at = self._clock() + self._rng.uniform(0.0, 60.0)
        self.wake_keeper()

    def _read_terms(self) -> Flow[None]:
        group = (self.options.stream, self.options.group)
        answer = yield ("XGROUP CFGGET", *group)
        self.terms = managed_terms(self.options, mapping(answer))
        self._terms_at = self._clock() + TERMS_EVERY

    def count_deliveries(self, held: Held) -> Flow[int]:
        """How often an entry was delivered, this time included."""
        if held.deliveries is None:
            words = (self.options.stream, self.options.group, held.id, held.id, 1)
            rows = pending_rows((yield ("XPENDING", *words)))
            held.deliveries = rows[0][1] if rows else 1
        return held.deliveries

    def retire(self) -> Flow[None]:
        """Take our name out of the group, unless something is pending under it."""
        words = (self.options.group, self.name)
        yield from evaluate(scripts.RETIRE, (self.options.stream,), words)

    # --- small things ---

    def _reconnect_wait(self, failures: int) -> float:
        """Seconds until the next try: doubled each time, up to a cap, half of it by chance."""
        most = min(self.options.reconnect_cap, RECONNECT_BASE * 2.0 ** min(failures, 30))
        return most * self._rng.uniform(0.5, 1.0)

    def _label(self) -> str:
        return f"{self.options.stream}/{self.options.group}/{self.name}"

    def _log_dead(self, entry_id: bytes, reason: str) -> None:
        log.warning(
            "%s: entry %s is a dead letter in %s (%s)",
            *(self._label(), as_text(entry_id), self.terms.dead_letter, reason),
        )
