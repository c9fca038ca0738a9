"""Signature schemes in plain Python: arithmetic and encodings, nothing of kits.

Each module is a function of its arguments and is judged against `cryptography` and OpenSSL in
tests/conformance.  `verifier.core.signature` says which scheme a key of a root has.
"""
