"""Use cases: they fetch through ports, call the pure domain, and store."""
