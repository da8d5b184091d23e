"""Receipts: kept as pictures that tell nothing but what is on them, and tied to expenses."""
