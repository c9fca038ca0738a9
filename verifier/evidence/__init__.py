"""What others attest: statements, bundles and their signatures, judged with the kit's own Python.

The rooms of evidence run after `verifier.core` and can only lower its verdict.  They are imported
when a policy or a command asks for them, and never by the core.
"""
