"""What was predicted, and the truth that came later."""
