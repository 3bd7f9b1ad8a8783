"""scikit-learn's faces of torchlinear: its names, parameters, defaults and attributes. No numerics here."""
