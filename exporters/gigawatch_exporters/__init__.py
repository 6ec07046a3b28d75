"""The node daemon that reads accelerators and sends what it read, and the simulator of a fleet of such nodes."""
