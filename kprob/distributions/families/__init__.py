"""The registry's entries by subject (real numbers, positive ones, counts, classes, vectors, series), and families of families."""
