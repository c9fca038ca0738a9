"""What decides about a kit: it rests on the standard library and `verifier.crypto` alone."""
