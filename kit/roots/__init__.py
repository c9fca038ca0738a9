"""Roots of trust on the release host: rotated, signed by several people, shown in words."""
