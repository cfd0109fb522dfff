"""The steps of a pipeline, one folder a step: a KFP component; one image runs them all."""
