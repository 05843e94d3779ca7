"""The equations of the cell: weak forms, currents through surfaces, laws of the reaction."""
