"""Mending a damaged kit: what is damaged, what to ask for, and a new file that is whole again."""
