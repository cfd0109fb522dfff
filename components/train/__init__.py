"""Training set to model."""
