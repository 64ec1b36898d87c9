"""imagegen: the Diffusion 1.0 text-to-image contract, served by the models that are alive."""
