"""Evidence of a run that goes home: a kit of its own, sealed by operators (RUNBOOK 11)."""
