"""Verbs of the command line that are not about training: each a pair of functions, `add_arguments` and `run`."""
