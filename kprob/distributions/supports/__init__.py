"""Which values are possible: supports, bijectors onto them, all values of finite ones, constraints of parameters."""
