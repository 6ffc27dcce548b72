"""What a table looks like, and how far another is from it."""
