"""Code tasks: the seam between a process and the code that its owner typed (DESIGN.md 4).

`job` says what crosses the seam, `runner` what stands behind it; `execute` drives one job.
"""
