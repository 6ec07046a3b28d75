"""`gigawatch demo`: every part on this machine, on simulated factories, with the one incident planted."""
