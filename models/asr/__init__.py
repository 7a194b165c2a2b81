"""Recognisers: words with times and confidence from speech spans."""
