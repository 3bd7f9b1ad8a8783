"""The lab: a web page on this machine where algorithms race on one's own data.

`server` answers the page, `safety` decides who may ask, `data` and `runs` hold what was asked for, `contours` draws
the map of the loss and `code` writes the programs that do what a run did. The page itself lies in ``static``.
"""
