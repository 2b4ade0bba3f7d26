"""The JAX backend; `kprob/backend/contract.py` says what its modules offer."""
