"""Many fits that share their passes over the rows: paths of penalties and cross-validation."""
