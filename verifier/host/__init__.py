"""The operator's host: its trust directory, its policy, and what it remembers of earlier kits."""
