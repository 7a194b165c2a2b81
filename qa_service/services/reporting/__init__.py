"""Reports: what of the stored figures is told to whom, a module for each kind."""
