"""Faults of channels: what a recorder or a line does to the sides of a call."""
