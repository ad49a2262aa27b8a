"""Lua: the machines scripts run in, what they find there, and libraries of functions."""
