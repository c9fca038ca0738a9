"""How a kit is laid out in its file, for whoever writes one: the builder, and a run's evidence."""
