"""Secrets: what they look like, and how they are hidden."""
