"""Handwritten digits: a pipeline whose rows are images, with features and a network of its own."""
