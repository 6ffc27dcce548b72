"""The prediction service: one app for all pipelines; a switch of version fails no request."""
