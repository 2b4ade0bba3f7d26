"""The TensorFlow backend. Every module has a twin of the same name in `kprob.backend.jax`."""
