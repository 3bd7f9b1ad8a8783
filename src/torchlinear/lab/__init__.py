"""The lab: a web page on this machine where algorithms race on one's own data.

`server` answers the page, `safety` decides who may ask, `data` and `runs` hold what was asked for, `stage`
prepares a run, `telling` says how it goes, and `code` writes the programs that do what it did. `sentences` are what is
refused, in the language of the page. The page itself lies in ``static``.
"""
