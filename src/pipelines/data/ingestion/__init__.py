"""From a source to a staged batch: each row once, in the types of the definition."""
