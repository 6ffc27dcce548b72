"""What happens: each flow is a page that reads top to bottom.

How steps run is in `tasks`, what they do in `pipelines`.
"""
