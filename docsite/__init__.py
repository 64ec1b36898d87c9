"""The documentation as a site (`make docs`): pages from the checkout, checked, and built by Zensical.

Standard library only: it runs in the checkout's environment, and Zensical in one of its own (`.venv/docs`).
"""
