"""Programs that print the tables in the documents."""
