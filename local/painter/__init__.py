"""Draws the stand-in's pictures: landscapes painted by a program from the words of a prompt. `paint` is all of it."""

from local.painter.painting import paint

__all__ = ["paint"]
