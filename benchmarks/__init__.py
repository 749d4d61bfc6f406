"""Measures how fast the engine is, beside the raw limit of its database and beside others: `python -m benchmarks`."""
