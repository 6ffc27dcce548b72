"""Rides per zone and hour in a made-up city whose drift is known: the built-in example."""
