"""Schedules: a request that the clock submits, exactly once per period."""
