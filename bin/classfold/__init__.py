"""ClassFold: an atomic model for every class of a cryo-EM 3D classification."""

__version__ = "0.1.0"
