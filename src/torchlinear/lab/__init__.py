"""The lab: a web page on this machine where algorithms race on one's own data.

`server` answers the page, `safety` decides who may ask, `data` and `runs` hold what was asked for, `stage`
prepares a run and `code` writes the programs that do what a run did. The page itself lies in ``static``.
"""
