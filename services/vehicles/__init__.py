"""Vehicles and their log: every change locks the vehicle's row first, and its version grows."""
