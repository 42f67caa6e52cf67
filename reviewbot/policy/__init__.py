"""The policy file: what it may hold, how it is read, how inputs tighten it, how it is shown."""
