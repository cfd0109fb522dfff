"""The command line's commands that fill a file of their own."""
