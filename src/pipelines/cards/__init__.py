"""A card for each version of a model, written from the evidence."""
