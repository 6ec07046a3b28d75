"""Stand-ins for libnvidia-ml that ship with the exporter: one in Python below pynvml, one in C; both show one NodeState."""
