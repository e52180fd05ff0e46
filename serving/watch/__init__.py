"""Is it still the world that the model was trained for? What is asked lately, beside its validation rows."""
