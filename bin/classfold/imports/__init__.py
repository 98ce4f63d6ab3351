"""Samplesheets from the folders of other programs' 3D classifications."""
