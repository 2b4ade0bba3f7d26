"""What warm-up learns: step size, mass matrix, and when."""
