"""Paths: x_t = a x₀ + b x₁ + γ z, one family of coefficients a file."""
