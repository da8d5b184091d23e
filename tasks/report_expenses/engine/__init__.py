"""Makes the files of a report from what the books said in one moment."""
