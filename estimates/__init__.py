"""What a stage costs, and how far it goes: arithmetic from its settings, AWS's list prices and AWS's limits.

Nothing here asks AWS. `make cost` prints it; `make pages` makes the tables of the pages.
"""
