"""What an agent sees of a change and of the repository, shown or looked up."""
