"""The page on which people listen and decide: rendered here, no build step, every key usable."""
