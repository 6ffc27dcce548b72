"""How steps run: retries, timeouts, caching, names. What they do is in `pipelines`.

Each task is a policy applied to a library function, `task(...)(function)`: name, signature, docstring and
types stay the library's. A `def` stands here only where Prefect itself is the work: publishing an artifact,
emitting an event.
"""
