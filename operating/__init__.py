"""What an operator does with a deployed stage, beyond deploying it."""

# For its effect: it makes `lambda/` an import root.
import stacks  # noqa: F401
