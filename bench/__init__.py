"""Headwater beside a real redis-server, the same requests to both (python -m bench)."""
