"""The runbook: its model, from a tree to it and back, and the rules across its fields."""
