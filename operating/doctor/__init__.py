"""`make doctor`: looks whether a stage can be deployed, and whether a deployed one works. It changes nothing.

Each module has a few checks. A check yields findings; `checks.py` lists all of them, and `command.py` runs them.
"""
