"""The one command on top of all parts, and the demo that runs them together."""
