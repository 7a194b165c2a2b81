"""Benchmarks: ratios measured side by side in one run, accuracy beside every speed figure."""
