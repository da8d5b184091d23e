"""What a report reads of the books, all in one snapshot."""
