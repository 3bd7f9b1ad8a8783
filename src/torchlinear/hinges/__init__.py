"""Least sums of hinges and a ridge: a quadratic programme, solved to its active set, with the gap that proves it.

The rows of a problem and what is known of its optimum (`problem`), a walk through the interior (`interior`), the step
from there to the exact optimum (`active`), and the units in which both are taken (`solution`).
"""
