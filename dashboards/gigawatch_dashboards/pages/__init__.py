"""The pages: each module has the layout and the callbacks of one, and a function that registers them."""
