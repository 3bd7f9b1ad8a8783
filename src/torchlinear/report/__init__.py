"""Reports: a `Solution` in words and pictures. It takes a `Solution`, never a `Fit`."""
