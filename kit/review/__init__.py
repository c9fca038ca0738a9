"""Signing far from the kit: the pack that travels, what it says in words, the signature back."""
