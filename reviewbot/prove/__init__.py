"""Whether a patch mends the failing tests; ``run`` tells it in order."""
