"""A page to try the model server with: an image or a short video in, plates and timings out."""
