"""Races: several solvers from one start through the one loop, each against the exact optimum."""
