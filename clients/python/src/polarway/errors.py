"""What goes wrong, as exceptions under one base class."""

from __future__ import annotations


class PolarwayError(Exception):
    """The base class of all exceptions of this package."""


class MalformedMessage(PolarwayError):  # noqa: N818 - named after the reason MALFORMED_MESSAGE
    """Bytes are no message of the protocol. The text names the message and says what is wrong and where."""
