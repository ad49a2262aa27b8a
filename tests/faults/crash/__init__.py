"""Crashes of a server under load: what clients were told, who tells them, and the comparison."""
