"""Requests of many tasks at once, at half the price; ``gathering`` is their way in."""
