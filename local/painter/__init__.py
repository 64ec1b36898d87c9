"""Paints the stand-in's pictures: a program makes landscapes from the words of a prompt. Others call only `paint`."""

from local.painter.painting import paint

__all__ = ["paint"]
