"""Colour science on numpy arrays: no I/O, no state."""
