"""Speech and language models behind the ports of the service core. Nothing is loaded at import."""
