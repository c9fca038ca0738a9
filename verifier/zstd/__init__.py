"""A zstd decoder in plain Python (RFC 8878), for hosts that have no other.

`verifier.zstd.frame` is the entry; nothing here is imported where any other decoder is found.
"""
