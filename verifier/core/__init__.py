"""What decides about a kit.  Standard library only; imports nothing outside this folder."""
