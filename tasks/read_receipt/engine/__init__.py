"""From pictures of print to what a receipt seems to say."""
