"""Which commits, who asked; objects read by sha; diff to ChangeSet."""
