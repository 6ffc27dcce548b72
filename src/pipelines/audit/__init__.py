"""The ML Test Score of a pipeline, answered from what the ledger has of it."""
