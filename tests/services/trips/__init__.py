"""Trips and their stops, below HTTP."""
