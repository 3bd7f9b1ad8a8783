"""Least sums of hinges and a ridge: a quadratic programme, solved to its active set, with the gap that proves it.

The rows of a problem and what is known of its optimum (`problem`), a walk through the interior (`interior`), the step
from there to the exact optimum (`active`), many rows by few of them (`sifting`), and the units in which all are taken
(`solution`).
"""
