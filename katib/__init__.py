"""The search over hyperparameters: one Katib Experiment, run by a cluster's Katib or by Optuna."""
