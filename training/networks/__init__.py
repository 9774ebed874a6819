"""Generators: L* in, ab out."""
