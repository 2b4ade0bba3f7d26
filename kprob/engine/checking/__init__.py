"""What is checked: the networks against each other, parameters, indices, and the data against what is possible."""
