"""Our server beside others, on one machine in one run: `make bench-serving`."""
