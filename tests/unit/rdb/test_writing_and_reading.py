"""What is written and read again is written the same: nothing is lost on the way, of any state."""

from __future__ import annotations

import pytest

from headwater.rdb.encoder import dump_payload, needed_version
from headwater.rdb.loader import load_payload
from support.embedded import Embedded
from support.stream_states import add_newer, fill


@pytest.mark.parametrize("compress", [False, True])
def test_what_was_read_is_written_as_it_was_read(compress: bool) -> None:
    embedded = Embedded()
    for seed in range(24):
        fill(embedded.main, f"stream-{seed}", seed)
        if embedded.main.ok("EXISTS", f"stream-{seed}"):
            add_newer(embedded.main, f"stream-{seed}", seed)
    embedded.main.ok("SET", "text", "words " * 50)
    versions = set()
    for key, value in embedded.state.keyspace.databases[0].values.items():
        payload = dump_payload(value, compress)
        assert dump_payload(load_payload(payload), compress) == payload, key
        versions.add(needed_version(value))
    assert versions == {6, 11, 13, 14}
