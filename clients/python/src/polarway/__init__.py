"""The Python client of Polarway, a server for tables."""

from polarway.errors import MalformedMessage, PolarwayError

__all__ = ["MalformedMessage", "PolarwayError"]
