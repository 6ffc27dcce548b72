"""Complete pipelines a newcomer copies."""
