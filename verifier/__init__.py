"""The standalone verifier: proves a kit with nothing but Python and a pinned root of trust."""

__version__ = "0.1.0"
