"""The whole service on this machine: `python -m local up`, `demo`, `status` and `down`."""
