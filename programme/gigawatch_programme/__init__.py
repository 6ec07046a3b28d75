"""What was promised of the AI factories, and what should be there."""
