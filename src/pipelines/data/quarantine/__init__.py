"""Rows that a check refused: what waits, a file to repair them in, and their way back."""
