"""Benchmarks that print a peer beside us, in one run, as a ratio."""
