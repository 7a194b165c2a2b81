"""The web process: HTTP over the same store and services. It never loads a speech model."""
