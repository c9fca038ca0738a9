"""A zstd decoder in plain Python (RFC 8878), for hosts that have no other.

`verifier.zstd.frame.decode` is the way in.  Nothing here is imported on a host that has another
decoder.  Like every decoder it sees only bytes that were authenticated; it is as strict as if it
saw others.  Where the standard and libzstd differ, docs/adr/0016-plain-decoder.md says what is
done here.
"""
