"""The whole service on this machine: `python -m local up`, `demo`, `status` and `down`."""

# For its effect: it makes `lambda/` an import root.
import stacks  # noqa: F401
