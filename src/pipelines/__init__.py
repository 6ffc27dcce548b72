"""What the steps of a pipeline do, in plain typed Python: no Prefect here, and nothing happens at import.

The name is the product's, not the content's: the flows that join these steps stand in `flows/`.
"""
