"""The library: plates, data, models, metrics, training and export; no cluster, no command line."""
