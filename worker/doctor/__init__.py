"""``qa doctor``: whether this machine can do the work, and what to fix.

A check is a function from settings to a finding, and a line in ``table.CHECKS``.
"""
