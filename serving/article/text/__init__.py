"""From a file to its text, its paragraphs and its quotations."""
