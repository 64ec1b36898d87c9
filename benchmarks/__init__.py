"""What the service costs in time, measured on this machine: `make bench`."""
