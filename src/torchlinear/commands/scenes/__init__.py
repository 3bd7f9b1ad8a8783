"""What `torchlinear demo` shows, one scene a file."""
