"""Files that jobs make: where their bytes lie, what is known of them, and how they are called."""
