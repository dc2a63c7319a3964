"""The thin HTTP service: it scores, and serves one console page."""
