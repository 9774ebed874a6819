"""Photographs and film stills as training tensors."""
