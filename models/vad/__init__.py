"""Voice activity: when a channel carries speech."""
