"""Runbooks at the release host: read, checked, drawn.  Their rules are `runner.book`'s."""
