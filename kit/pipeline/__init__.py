"""The pipeline: from sources to a published release, stage after stage, as `[release]` says.

An order of orders, in several files.  `engine` runs tasks one after the other, knows which are
done by the digests of what goes in and comes out (`state`), and knows no stage.  Each stage is one
module with one class of tasks, and calls the order that does its work.
"""
