"""The model server: images in, readings out, over HTTP and gRPC."""
