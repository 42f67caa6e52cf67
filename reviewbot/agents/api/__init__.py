"""The provider: its client, its answers, its failures; ``claude`` is the one door."""
