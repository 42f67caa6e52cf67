"""What models cost and what a run may spend: prices, the budget of a run, caps over many."""
