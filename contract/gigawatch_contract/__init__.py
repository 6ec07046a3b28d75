"""What all parts of Gigawatch agree on: metric names, units and columns, event names, links, settings, errors.

Standard library only: a node installs this beside the exporter.
"""
