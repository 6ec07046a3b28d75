"""What tests, benchmarks and screenshots of the pages need: a small fleet, and the pages served on its database."""
