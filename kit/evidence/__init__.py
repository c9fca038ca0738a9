"""Evidence at the release host: read before a kit is built, and listed in `evidence.index`."""
