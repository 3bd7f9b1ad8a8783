"""Training somebody's own module: `train`, and what it needs to know of modules, criteria and optimisers."""
