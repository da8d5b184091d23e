"""The books, below HTTP."""
