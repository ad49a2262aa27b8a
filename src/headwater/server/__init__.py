"""Sockets: the listener, connections, back-pressure, start and stop."""
