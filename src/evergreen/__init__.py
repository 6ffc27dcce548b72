"""The command and the local stack that it starts: a thin caller of the flows."""
