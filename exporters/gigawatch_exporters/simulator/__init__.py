"""A fleet of simulated nodes: a scenario, its physics, its faults and its truth; needs the extra [simulator]."""
