"""Bad input: more than fifty kinds, each with its answer, and nothing lost, broken or left to clean up."""
