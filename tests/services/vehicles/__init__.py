"""Vehicles and their log, below HTTP."""
