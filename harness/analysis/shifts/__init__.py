"""What becomes of accuracy, and of jumps, on shifted evaluation sets of the same runs."""
