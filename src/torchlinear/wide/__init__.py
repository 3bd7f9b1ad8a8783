"""Squared loss over more columns than rows: nothing of size p x p, columns looked at only where they may matter."""
