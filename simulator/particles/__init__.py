"""The particles of an electrode: their table, and the sizes and penalty factors drawn for them."""
