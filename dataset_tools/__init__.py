"""The life of a data set: drawing, labels, records."""
