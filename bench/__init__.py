"""Benchmarks: each figure beside the floor that was measured with it."""
