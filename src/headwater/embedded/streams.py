"""Typed methods of the stream commands, by redis-py's names, run by the caller's own thread.

What they return is what redis-py returns by default (`protocol=2`): bytes stay bytes, an entry is
(id, fields), a command's error reply is raised as redis-py's exception. Words may be bytes, str
(sent as UTF-8), int or float. `aio_streams.py` is made from this file by `twin.py`.
"""

# ruff: noqa: A002 - arguments have the names that redis-py gives them

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from headwater.embedded import shapes, words
from headwater.embedded.caller import AS_IS, CLAIMED, ENTRIES, STREAMS, VALUE, Caller
from headwater.embedded.shapes import Entry, EntryID, Fields, Key

Policy = Literal["KEEPREF", "DELREF", "ACKED"]
StreamReply = list[Any]
"""[key, entries] of each stream that has any."""


class StreamCommands(Caller):
    """The stream commands."""

    __slots__ = ()

    # --- appending and deleting ---

    def xadd(
        self,
        name: Key,
        fields: Fields,
        id: EntryID = "*",
        maxlen: int | None = None,
        approximate: bool = True,
        nomkstream: bool = False,
        minid: EntryID | None = None,
        limit: int | None = None,
        ref_policy: Policy | None = None,
        idmpauto: Key | None = None,
        idmp: tuple[Key, Key] | None = None,
    ) -> bytes:
        """Append an entry and return its ID.

        `maxlen` or `minid` trims the stream; `idmp=(producer, id)` and `idmpauto=producer` return
        the first entry's ID when the same comes again. None with `nomkstream` and no stream.
        """
        if (
            maxlen is None
            and minid is None
            and not nomkstream
            and limit is None
            and ref_policy is None
            and idmpauto is None
            and idmp is None
        ):
            call = self._entry(name, fields, id)
            entry_id: bytes = self._run(call, VALUE)
            return entry_id
        given = words.xadd(
            name,
            fields,
            id,
            maxlen,
            approximate,
            nomkstream,
            minid,
            limit,
            ref_policy,
            idmpauto,
            idmp,
        )
        return self._call(given, VALUE, AS_IS)

    def xdel(self, name: Key, *ids: EntryID) -> int:
        """Delete entries; returns how many there were."""
        return self._call((b"XDEL", name, *ids), VALUE, AS_IS)

    def xdelex(self, name: Key, *ids: EntryID, ref_policy: Policy = "KEEPREF") -> list[int]:
        """Delete entries, and by `ref_policy` what groups have of them.

        For each ID 1: deleted, -1: not there, 2: kept because a group still needs it.
        """
        return self._call(words.by_policy([b"XDELEX", name], ref_policy, ids), VALUE, AS_IS)

    def xtrim(
        self,
        name: Key,
        maxlen: int | None = None,
        approximate: bool = True,
        minid: EntryID | None = None,
        limit: int | None = None,
        ref_policy: Policy | None = None,
    ) -> int:
        """Delete the oldest entries beyond `maxlen` or below `minid`; returns how many."""
        given = words.xtrim(name, maxlen, approximate, minid, limit, ref_policy)
        return self._call(given, VALUE, AS_IS)

    def xsetid(
        self,
        name: Key,
        last_id: EntryID,
        entries_added: int | None = None,
        max_deleted_id: EntryID | None = None,
    ) -> bool:
        """Set the stream's last ID, and the counters that go with it."""
        more = words.options(ENTRIESADDED=entries_added, MAXDELETEDID=max_deleted_id)
        return self._call([b"XSETID", name, last_id, *more], VALUE, shapes.is_ok)

    # --- reading ---

    def xlen(self, name: Key) -> int:
        """Number of entries; 0 for a stream that is not there."""
        return self._call((b"XLEN", name), VALUE, AS_IS)

    def xrange(
        self, name: Key, min: EntryID = "-", max: EntryID = "+", count: int | None = None
    ) -> list[Entry]:
        """Entries from `min` to `max` as [(id, fields)]; "(1-1" is exclusive."""
        given = words.limited([b"XRANGE", name, min, max], count)
        return self._call(given, ENTRIES, AS_IS)

    def xrevrange(
        self, name: Key, max: EntryID = "+", min: EntryID = "-", count: int | None = None
    ) -> list[Entry]:
        """Entries from `max` down to `min`, as `xrange`."""
        given = words.limited([b"XREVRANGE", name, max, min], count)
        return self._call(given, ENTRIES, AS_IS)

    def xread(
        self,
        streams: Mapping[Any, Any],
        count: int | None = None,
        block: int | None = None,
        max_count: int | None = None,
        max_size: int | None = None,
    ) -> StreamReply:
        """Entries behind the IDs of `streams` ({key: id}) as [[key, [(id, fields)]]].

        `block`: milliseconds to wait for one, 0: for ever; [] when none came.
        """
        given = words.xread(streams, count, block, max_count, max_size)
        return self._call(given, STREAMS, AS_IS)

    def xreadgroup(
        self,
        groupname: Key,
        consumername: Key,
        streams: Mapping[Any, Any],
        count: int | None = None,
        block: int | None = None,
        noack: bool = False,
        claim_min_idle_time: int | None = None,
        max_count: int | None = None,
        max_size: int | None = None,
    ) -> StreamReply:
        """Deliver new entries (`>`) to a consumer, or show what is pending; as `xread`.

        With `claim_min_idle_time` (ms), first what has been pending so long; entries are
        (id, fields, idle ms, deliveries) then.
        """
        if not noack and claim_min_idle_time is None and max_count is None and max_size is None:
            call = self._group_read(groupname, consumername, streams, count, block)
            found: StreamReply = self._run(call, STREAMS)
            return found
        given = words.xreadgroup(
            groupname,
            consumername,
            streams,
            count,
            block,
            noack,
            claim_min_idle_time,
            max_count,
            max_size,
        )
        return self._call(given, STREAMS if claim_min_idle_time is None else CLAIMED, AS_IS)

    # --- what is pending ---

    def xack(self, name: Key, groupname: Key, *ids: EntryID) -> int:
        """Acknowledge entries; returns how many were pending."""
        call = self._ids(b"XACK", name, groupname, ids)
        acknowledged: int = self._run(call, VALUE)
        return acknowledged

    def xackdel(
        self, name: Key, groupname: Key, *ids: EntryID, ref_policy: Policy = "KEEPREF"
    ) -> list[int]:
        """Acknowledge and delete entries; returns as `xdelex`."""
        given = words.by_policy([b"XACKDEL", name, groupname], ref_policy, ids)
        return self._call(given, VALUE, AS_IS)

    def xnack(
        self,
        name: Key,
        groupname: Key,
        mode: Literal["SILENT", "FAIL", "FATAL"],
        *ids: EntryID,
        retrycount: int | None = None,
        force: bool = False,
    ) -> int:
        """Give entries back to the group, to be delivered again; returns how many."""
        given = words.xnack(name, groupname, mode, ids, retrycount, force)
        return self._call(given, VALUE, AS_IS)

    def xpending(self, name: Key, groupname: Key) -> dict[str, Any]:
        """A dict of pending (number), min and max (IDs), consumers ([{name, pending}])."""
        return self._call((b"XPENDING", name, groupname), VALUE, shapes.pending)

    def xpending_range(
        self,
        name: Key,
        groupname: Key,
        min: EntryID,
        max: EntryID,
        count: int,
        consumername: Key | None = None,
        idle: int | None = None,
    ) -> list[dict[str, Any]]:
        """Dicts of message_id, consumer, time_since_delivered (ms), times_delivered."""
        given = words.xpending_range(name, groupname, min, max, count, consumername, idle)
        return self._call(given, VALUE, shapes.pending_range)

    def xclaim(
        self,
        name: Key,
        groupname: Key,
        consumername: Key,
        min_idle_time: int,
        message_ids: Iterable[EntryID],
        idle: int | None = None,
        time: int | None = None,
        retrycount: int | None = None,
        force: bool = False,
        justid: bool = False,
    ) -> list[Any]:
        """Make a consumer the owner of pending entries: [(id, fields)], or [id] with `justid`."""
        given = words.xclaim(
            name,
            groupname,
            consumername,
            min_idle_time,
            message_ids,
            idle,
            time,
            retrycount,
            force,
            justid,
        )
        return self._call(given, VALUE if justid else ENTRIES, AS_IS)

    def xautoclaim(
        self,
        name: Key,
        groupname: Key,
        consumername: Key,
        min_idle_time: int,
        start_id: EntryID = "0-0",
        count: int | None = None,
        justid: bool = False,
    ) -> list[Any]:
        """Claim what has been pending for `min_idle_time` ms.

        [id to go on from, [(id, fields)], [ids that are gone]]; with `justid` only the IDs.
        """
        given = words.xautoclaim(
            name, groupname, consumername, min_idle_time, start_id, count, justid
        )
        return self._call(given, VALUE, shapes.claimed_ids if justid else shapes.claimed_page)

    # --- groups ---

    def xgroup_create(
        self,
        name: Key,
        groupname: Key,
        id: EntryID = "$",
        mkstream: bool = False,
        entries_read: int | None = None,
    ) -> bool:
        """Create a group that reads behind `id`; `mkstream` creates the stream too."""
        more = [*words.flags(MKSTREAM=mkstream), *words.options(ENTRIESREAD=entries_read)]
        given = [b"XGROUP", b"CREATE", name, groupname, id, *more]
        return self._call(given, VALUE, shapes.is_ok)

    def xgroup_setid(
        self, name: Key, groupname: Key, id: EntryID, entries_read: int | None = None
    ) -> bool:
        """Have the group go on behind `id`."""
        more = words.options(ENTRIESREAD=entries_read)
        given = [b"XGROUP", b"SETID", name, groupname, id, *more]
        return self._call(given, VALUE, shapes.is_ok)

    def xgroup_destroy(self, name: Key, groupname: Key) -> bool:
        """Delete a group with all that is pending; whether there was one."""
        return self._call((b"XGROUP", b"DESTROY", name, groupname), VALUE, bool)

    def xgroup_createconsumer(self, name: Key, groupname: Key, consumername: Key) -> int:
        """Create a consumer; 0 if there is one of the name."""
        given = (b"XGROUP", b"CREATECONSUMER", name, groupname, consumername)
        return self._call(given, VALUE, AS_IS)

    def xgroup_delconsumer(self, name: Key, groupname: Key, consumername: Key) -> int:
        """Delete a consumer with what it has pending; returns how many entries that were."""
        given = (b"XGROUP", b"DELCONSUMER", name, groupname, consumername)
        return self._call(given, VALUE, AS_IS)

    def xgroup_reset(
        self,
        name: Key,
        groupname: Key,
        to: EntryID,
        pending: Literal["KEEP", "DROP"] | None = None,
        dryrun: bool = False,
    ) -> dict[str, Any]:
        """Have the group read from another place; Headwater only.

        `to`: an ID, "-", "$", "TIME <unix ms>", "AGO <ms>" or an ISO-8601 time. A dict of first
        (ID that is read next, or None), entries (how many there are to read), dropped (of those
        that were pending).
        """
        given = words.xgroup_reset(name, groupname, to, pending, dryrun)
        return self._call(given, VALUE, shapes.position)

    def xgroup_cfgset(
        self,
        name: Key,
        groupname: Key,
        *,
        ackwait: int | None = None,
        backoff: Iterable[int] | None = None,
        maxdeliveries: int | None = None,
        deadletter: Key | None = None,
        maxpending: int | None = None,
        groupmaxpending: int | None = None,
        orderby: Key | None = None,
        lease: Literal["TIME", "CONNECTION"] | None = None,
        consumerttl: int | None = None,
        groupttl: int | None = None,
    ) -> bool:
        """Set how the group's entries are delivered again (times in ms); Headwater only."""
        more = words.options(
            ACKWAIT=ackwait,
            BACKOFF=None if backoff is None else [*backoff],
            MAXDELIVERIES=maxdeliveries,
            DEADLETTER=deadletter,
            MAXPENDING=maxpending,
            GROUPMAXPENDING=groupmaxpending,
            ORDERBY=orderby,
            LEASE=lease,
            CONSUMERTTL=consumerttl,
            GROUPTTL=groupttl,
        )
        given = [b"XGROUP", b"CFGSET", name, groupname, *more]
        return self._call(given, VALUE, shapes.is_ok)

    def xgroup_cfgget(self, name: Key, groupname: Key) -> dict[str, Any]:
        """The settings of `xgroup_cfgset`, and how much waits because of them."""
        return self._call((b"XGROUP", b"CFGGET", name, groupname), VALUE, shapes.settings)

    # --- what there is ---

    def xinfo_stream(self, name: Key, full: bool = False) -> dict[str, Any]:
        """Facts about a stream by their names in Redis; `full`: with entries and groups."""
        if full:
            return self._call((b"XINFO", b"STREAM", name, b"FULL"), VALUE, shapes.full_stream)
        return self._call((b"XINFO", b"STREAM", name), VALUE, shapes.stream)

    def xinfo_groups(self, name: Key) -> list[dict[str, Any]]:
        """Facts about each group."""
        return self._call((b"XINFO", b"GROUPS", name), VALUE, shapes.all_named)

    def xinfo_consumers(self, name: Key, groupname: Key) -> list[dict[str, Any]]:
        """Facts about each consumer of a group."""
        return self._call((b"XINFO", b"CONSUMERS", name, groupname), VALUE, shapes.all_named)

    # --- a stream's settings, schedule and schema; dead letters ---

    def xcfgset(
        self,
        name: Key,
        idmp_duration: int | None = None,
        idmp_maxsize: int | None = None,
        *,
        retain_maxlen: int | None = None,
        retain_maxage: int | None = None,
        retain_maxbytes: int | None = None,
        retain_acked: bool | None = None,
    ) -> bool:
        """Set which entries the stream retains (age in ms) and which IDs of `idmp` it remembers."""
        more = words.options(
            IDMP_DURATION=idmp_duration,
            IDMP_MAXSIZE=idmp_maxsize,
            RETAIN_MAXLEN=retain_maxlen,
            RETAIN_MAXAGE=retain_maxage,
            RETAIN_MAXBYTES=retain_maxbytes,
            RETAIN_ACKED=retain_acked,
        )
        return self._call([b"XCFGSET", name, *more], VALUE, shapes.is_ok)

    def xcfgget(self, name: Key) -> dict[str, Any]:
        """The settings of `xcfgset`; Headwater only."""
        return self._call((b"XCFGGET", name), VALUE, shapes.settings)

    def xschedule_add(
        self,
        name: Key,
        fields: Fields,
        *,
        at_ms: int | None = None,
        in_ms: int | None = None,
        every_ms: int | None = None,
    ) -> int:
        """Have an entry appended at a unix time or after a while, and again every so often.

        Returns its handle. Headwater only.
        """
        given = words.xschedule_add(name, fields, at_ms, in_ms, every_ms)
        return self._call(given, VALUE, int)

    def xschedule_cancel(self, name: Key, handle: int) -> int:
        """Have it not be appended any more; 0 if nothing has the handle."""
        return self._call((b"XSCHEDULE", b"CANCEL", name, handle), VALUE, AS_IS)

    def xschedule_list(self, name: Key, count: int | None = None) -> list[dict[str, Any]]:
        """What is due first: dicts of handle, due (unix ms), every (ms; 0: once), fields."""
        given = words.limited([b"XSCHEDULE", b"LIST", name], count)
        return self._call(given, VALUE, shapes.scheduled)

    def xschema_set(
        self,
        name: Key,
        schema: Key,
        compat: Literal["none", "backward", "forward", "full"] | None = None,
    ) -> int:
        """Set the JSON Schema that entries have to fit; returns its version. Headwater only."""
        given = [b"XSCHEMA", b"SET", name, schema, *words.options(COMPAT=compat)]
        return self._call(given, VALUE, AS_IS)

    def xschema_get(self, name: Key, version: int | None = None) -> bytes | None:
        """The text of the schema, or None."""
        given = [b"XSCHEMA", b"GET", name, *words.options(VERSION=version)]
        return self._call(given, VALUE, AS_IS)

    def xschema_list(self, name: Key) -> list[dict[str, Any]]:
        """Dicts of version, compat, set-at (unix ms)."""
        return self._call((b"XSCHEMA", b"LIST", name), VALUE, shapes.versions)

    def xschema_check(self, name: Key, schema: Key) -> list[str]:
        """Why the schema could not be set; []: it could."""
        return self._call((b"XSCHEMA", b"CHECK", name, schema), VALUE, shapes.texts)

    def xschema_del(self, name: Key) -> int:
        """Delete the schema with all its versions; 0 if there is none."""
        return self._call((b"XSCHEMA", b"DEL", name), VALUE, AS_IS)

    def xredrive(
        self,
        name: Key,
        *ids: EntryID,
        to: Key | None = None,
        count: int | None = None,
    ) -> list[tuple[bytes, bytes]]:
        """Move dead letters back to where they come from, or `to` a stream; Headwater only.

        (id it had, id it has now) of each.
        """
        more = words.options(TO=to, COUNT=count)
        if ids:
            more += [b"IDS", len(ids), *ids]
        return self._call([b"XREDRIVE", name, *more], VALUE, shapes.moved)
