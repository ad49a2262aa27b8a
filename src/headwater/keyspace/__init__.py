"""Databases: keys and their values, expiry, waiting readers, watched keys."""
