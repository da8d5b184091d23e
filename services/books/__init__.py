"""The books of a traveller: what was spent, in which currency, and on what."""
