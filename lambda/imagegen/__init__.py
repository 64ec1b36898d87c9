"""imagegen serves the Diffusion 1.0 text-to-image contract with the models that are still alive."""
