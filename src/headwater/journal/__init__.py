"""The journal: every change as a record, in segment files with one chain of checksums.

Layouts in `format`, file operations in `disk`, the file set in `manifest`. Nothing here knows
the keyspace; what a record means is in `operations` (writing) and `persistence/apply` (reading).
"""
