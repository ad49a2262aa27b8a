"""What must happen in one step on the server: Lua, for Redis 6.2 and later, Valkey and Headwater.

Each script looks first whether the entry is still this consumer's: one that was acknowledged
meanwhile, or that another consumer has taken, is left alone. All take the stream as KEYS[1], the
group as ARGV[1] and the consumer as ARGV[2]; IDs are the last arguments.
"""

from __future__ import annotations

import hashlib


class Script:
    """A script's text and the name under which servers keep it."""

    __slots__ = ("sha", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


_MINE = """
local function mine(id)
    return redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2])[1]
end
"""

_BURY = """
local function bury(row, reason)
    local id = row[1]
    local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
    if entry then
        local words = entry[2]
        if #words > 7000 then
            words = {}  -- more than Lua can hand on; the entry itself stays in the stream
        end
        local now = redis.call('TIME')
        local added = {
            'original_stream', KEYS[1], 'original_id', id, 'group', ARGV[1],
            'consumer', ARGV[2], 'deliveries', tostring(row[4]), 'reason', reason,
            'dead_lettered_at', string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)),
        }
        for i = 1, #added do
            words[#words + 1] = added[i]
        end
        redis.call('XADD', KEYS[2], '*', unpack(words))
    end
    redis.call('XACK', KEYS[1], ARGV[1], id)
end
"""

BEAT = Script(
    _MINE
    + """
local kept = {}
for i = 3, #ARGV do
    if mine(ARGV[i]) then
        redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', 0, 'JUSTID')
        kept[#kept + 1] = ARGV[i]
    end
end
return kept
"""
)
"""The entries were delivered just now, as far as others are concerned; returns which are ours."""

TAKE = Script(
    _MINE
    + _BURY
    + """
local most = tonumber(ARGV[3])
local taken = {}
for i = 4, #ARGV do
    local row = mine(ARGV[i])
    if row then
        if most > 0 and row[4] >= most then
            bury(row, 'max-deliveries')
            taken[#taken + 1] = {ARGV[i], -1, {}}
        else
            local entry = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i])[1]
            if entry then
                taken[#taken + 1] = {ARGV[i], row[4] + 1, entry[2]}
            elseif #redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i]) == 0 then
                redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
            end
        end
    end
end
return taken
"""
)
"""Deliver entries that are ours once more; ARGV[3]: after so many deliveries they are dead letters
(0: the server looks after that). Returns ID, delivery count (-1: now a dead letter), fields."""

BURY = Script(
    _MINE
    + _BURY
    + """
local buried = 0
for i = 4, #ARGV do
    local row = mine(ARGV[i])
    if row then
        bury(row, ARGV[3])
        buried = buried + 1
    end
end
return buried
"""
)
"""Make dead letters, ARGV[3] being the reason; returns how many."""

NACK = Script(
    _MINE
    + """
local given = 0
for i = 4, #ARGV do
    if mine(ARGV[i]) then
        redis.call('XNACK', KEYS[1], ARGV[1], ARGV[3], 'IDS', 1, ARGV[i])
        given = given + 1
    end
end
return given
"""
)
"""XNACK in the mode ARGV[3], for servers that deliver again by themselves; returns how many."""

RETURN = Script(
    _MINE
    + """
local given = 0
for i = 3, #ARGV, 3 do
    local id = ARGV[i]
    local row = mine(id)
    if row then
        local count = math.max(0, row[4] - tonumber(ARGV[i + 2]))
        redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id,
            'IDLE', ARGV[i + 1], 'RETRYCOUNT', count, 'JUSTID')
        given = given + 1
    end
end
return given
"""
)
"""Let others claim entries soon: triples of ID, how long it shall have been idle (ms), and how many
deliveries not to count; returns how many."""

RETIRE = Script(
    """
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
    return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return -1
"""
)
"""Delete our own consumer, unless it has something pending: that would be lost."""

TIDY = Script(
    """
local gone = 0
for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local facts = {}
    for i = 1, #row, 2 do
        facts[row[i]] = row[i + 1]
    end
    if facts.pending == 0 and facts.idle >= tonumber(ARGV[3]) and facts.name ~= ARGV[2]
        and string.find(facts.name, '%-%d+%-hw' .. string.rep('%x', 8) .. '$') then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], facts.name)
        gone = gone + 1
        if gone == 500 then
            break
        end
    end
end
return gone
"""
)
"""Delete consumers of killed workers: with made up names, nothing pending, and idle for ARGV[3] ms.
One that lives nevertheless loses nothing, as its next read makes it again; returns how many."""

ALL = (BEAT, TAKE, BURY, NACK, RETURN, RETIRE, TIDY)
