"""The version of this package, read by the build and shown by INFO and --version."""

__version__ = "0.1.0"

REDIS_VERSION = "8.10.0"
"""The Redis that this server behaves as; clients look at it before they use a feature."""
