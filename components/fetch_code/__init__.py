"""What the component `fetch_code` does."""
