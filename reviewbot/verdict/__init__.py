"""What is true, what it means, what was known before."""
