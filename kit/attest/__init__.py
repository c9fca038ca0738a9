"""Attestations: Statements of in-toto about files, components and images, and who signs them.

What a report of tests, a scanner or a tool for SBOMs says is read here, held to what its predicate
type asks for, and put into a Statement v1 in a DSSE envelope.  Nothing here knows the time: what a
statement says of times comes out of its inputs, so that the same inputs give the same bytes.
"""
