"""The particles of an electrode: their table, and what is drawn for each of them."""
