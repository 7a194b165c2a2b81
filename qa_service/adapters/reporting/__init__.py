"""Reports as pages, workbooks and JSON."""
