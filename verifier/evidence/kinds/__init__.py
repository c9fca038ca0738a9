"""What a component promises by its kind (FORMAT 17), judged with what the kit itself proves.

One file a kind; `verifier.evidence.kinds.registry` lists them.  Digests are those of the index, so
nothing is hashed twice, and only documents are read.
"""
