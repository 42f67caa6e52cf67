"""Where people and programs read the review."""
