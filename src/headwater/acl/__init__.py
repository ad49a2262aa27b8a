"""Users and what they may do: rules, verdicts, the log of denials, the file.

Nothing here knows a connection or the dispatcher. What commands there are, and which keys and
channels a request touches, comes in as data: `catalog.Catalog`.
"""
