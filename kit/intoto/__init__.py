"""in-toto at the release host: links of the steps of a build, layouts, and their judgement.

Words are in-toto's: a step is done by a functionary, who signs a link of it; a layout says which
steps there are, who may do them, and what each may take and make.  The library (an extra) records
artifacts and judges chains; signing is ours, and so is the time that a layout is judged by.
"""
