"""The first pipeline.yaml of a table, proposed from what is in it."""
