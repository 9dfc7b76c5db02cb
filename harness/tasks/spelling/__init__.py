"""Spelling to sound: the letters of a word, then its phonemes."""
