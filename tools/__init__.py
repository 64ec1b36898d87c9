"""What belongs to the checkout: its set-up, its lock files, its CDK command line. Standard library only."""
