"""What a model is made of, for those who show it or name a part of it. May import: all below density."""
