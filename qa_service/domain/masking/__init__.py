"""Numbers that not everybody may read or hear: where they are, and what is shown and played instead.

Guarantee: pure. What is found is decided from words and their sound alone, by one piece of code for dialogue,
evidence and free text, so that a number hidden in one of them is not read in another.
"""
