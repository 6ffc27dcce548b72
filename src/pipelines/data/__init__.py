"""Data: read, take in once, keep as versions, log predictions, propose a definition.

The only package that knows Delta Lake and Arrow; they are imported where they are used.
"""
