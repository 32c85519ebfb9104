"""Images for an engine that can't pull: the real programs, under the names that compose.yaml asks for.

A folder each, named as the image is, with its Dockerfile. Each behaves as the image that it stands in for, as far as
compose.yaml and the tests rely on it: configuration by environment, user, paths, volumes. Grafana is not to be had.
"""
