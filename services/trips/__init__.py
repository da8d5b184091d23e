"""Trips and their stops: every change locks the trip's row first, and makes its version grow."""
