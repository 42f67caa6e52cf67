"""What the code alone takes for risky, below anything a model says; ``risk`` weighs it."""
