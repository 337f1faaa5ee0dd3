"""The landscape before Levada: the same systems, wired point to point, at work on the real orders."""
