"""Statistics that need a library. What the standard library can do is in the domain."""
