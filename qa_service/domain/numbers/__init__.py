"""Numbers in what was said, as an overlay: where they stand, what they are, and their value."""
