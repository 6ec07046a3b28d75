"""Jobs: which accelerators which job held when, from the accounting of the site."""
