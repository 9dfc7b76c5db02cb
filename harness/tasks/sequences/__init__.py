"""Algorithmic sequence tasks for next-token prediction, each with a setting of its difficulty."""
