"""How big a schema may be, and what a check may cost: no schema keeps the loop busy for long."""

from __future__ import annotations

SCHEMA_MAX_BYTES = 64 * 1024
"""Of the text of a schema, as XSCHEMA SET gets it."""

SCHEMA_MAX_DEPTH = 64
"""Of its JSON: what follows it down is recursive."""

MAX_SUBSCHEMAS = 5000
"""Subschemas when all references are written out: this is what is compiled and compared."""

MAX_PATTERNS = 128
MAX_PATTERN_WEIGHT = 20_000
"""Regular expressions, and the characters of all of them when repetitions are written out."""

PATTERN_BYTES = 1024 * 1024
"""What one regular expression may take when it is compiled."""

VERSIONS_KEPT = 100
"""Of a stream's schema; the oldest goes when another one comes."""

CHECK_STEPS = 1_000_000
"""Values in a JSON text, times what the schema says of them: a tenth of a second at worst."""

PATTERN_STEPS = 32_000_000
"""Bytes of a text, times the weight of the patterns it is matched with: 30 ms at worst."""

FIELD_STEPS = 100_000
"""Fields of an entry, times what the schema asks of each of them: 50 ms at worst."""

NUMBER_MAX_BYTES = 1000
"""Of a number's text: converting decimal digits costs their square."""

COMPARISON_STEPS = 20_000
"""Pairs of subschemas that are looked at to compare two schemas."""

MAX_REASONS = 20
"""Why a schema can not follow another one, at most so many reasons."""

MAX_FAULTS = 3
FAULT_CHARACTERS = 160
"""What is wrong with an entry: the first few faults, and so much of each."""
