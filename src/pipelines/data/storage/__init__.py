"""Delta tables: what the pipeline holds, as versions, and what old versions may go."""
