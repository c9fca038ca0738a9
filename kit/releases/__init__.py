"""Releases side by side: where each lies, which came before, and what has changed since."""
