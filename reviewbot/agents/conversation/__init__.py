"""One conversation with a model, from its first request to its answer; ``loop`` tells it in order."""
