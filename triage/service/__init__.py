"""The thin HTTP service: it scores, keeps, takes corrections and serves one console page."""
