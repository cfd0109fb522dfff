"""Models to the best of them."""
