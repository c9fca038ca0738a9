"""What lies in a kit beside its contents and speaks about them: read after the core's verdict.

Nothing here can raise a verdict.  `verifier.core` imports nothing of it.
"""
