"""What the container of the action does; ``run`` tells it in order."""
