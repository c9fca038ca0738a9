"""A zstd decoder in plain Python (RFC 8878), for hosts that have no other.

`verifier.zstd.frame.decode` is the way in.  On a host that has another decoder it is imported only
when that one refuses a frame: this is the reference decoding of FORMAT 2.4, which alone can reject.
So it takes what any decoder in use takes, where the content is clear; docs/adr/0027-one-verdict.md
says why.  Like every decoder it sees only bytes that were authenticated; it is as careful as if it
saw others.
"""
