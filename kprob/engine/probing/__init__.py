"""What a network does, found by running it: its sites, what depends on what, whether it repeats itself."""
