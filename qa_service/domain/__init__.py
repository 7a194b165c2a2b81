"""Pure domain: frozen data and functions on it. Standard library only; same input, same output."""
