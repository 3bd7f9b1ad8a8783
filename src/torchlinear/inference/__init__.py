"""Inference: what a `Solution` says about the coefficients and predictions, and how surely.

It takes a `Solution`, never a `Fit`, and needs no rows.
"""
