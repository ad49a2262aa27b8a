"""Headwater and a real redis-server answer alike."""
