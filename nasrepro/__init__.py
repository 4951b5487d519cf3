"""Reproducible companion of five studies of weight-sharing neural architecture search."""

__version__ = "0.1.0"
