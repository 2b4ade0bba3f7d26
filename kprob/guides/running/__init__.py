"""One run of a guide: where latents start, what an encoder makes of the data, what is drawn inside the generative network."""
