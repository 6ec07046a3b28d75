"""Rules, state and delivery: the right person hears once, surely, and knows what to do."""
