"""Places where releases lie: a directory here; buckets, registries and web servers in `kit.net`."""
