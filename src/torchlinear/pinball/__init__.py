"""Least sums of pinball losses: a linear programme, solved to a vertex, with the gap that proves it.

The rows of a problem and what is known of its optimum (`problem`), a walk through the interior (`interior`), the
step from there to an exact vertex (`vertex`), and many rows by few of them (`sifting`).
"""
