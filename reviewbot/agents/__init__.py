"""What models say about a change: three agents, each with a context and narrow tools of its own."""
