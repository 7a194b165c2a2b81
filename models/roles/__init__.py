"""Speaker roles, inferred from what is said."""
