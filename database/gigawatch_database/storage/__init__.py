"""Storage that lasts: what keeps the database in order, and what tells how it stands."""
