"""Who says what of whom: attributions, names, targets, and the positions made of them."""
