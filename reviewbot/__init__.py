"""reviewbot: a code review bot whose verdict a branch rule can trust."""

__version__ = "0.1.0"
