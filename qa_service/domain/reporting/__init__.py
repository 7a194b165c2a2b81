"""Reports as data: what they say, before anybody decides how it looks."""
