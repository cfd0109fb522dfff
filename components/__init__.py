"""The steps of a pipeline, one folder a step: a KFP component and its Dockerfile."""
