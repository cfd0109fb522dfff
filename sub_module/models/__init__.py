"""Model families; a config's `model.type` names one in `registry.MODELS`."""
