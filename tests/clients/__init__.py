"""Clients and tools that people use, unmodified."""
