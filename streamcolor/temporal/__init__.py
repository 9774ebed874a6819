"""Colour over time: where shots begin, and what holds colours still within and across them."""
