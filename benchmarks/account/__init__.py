"""`make bench ACCOUNT=1`: figures of a deployed stage, computed from what the stage has logged."""
