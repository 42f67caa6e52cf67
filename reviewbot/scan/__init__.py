"""Scans of a whole repository; ``run`` tells them in order."""
