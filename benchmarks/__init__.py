"""Programs that print the tables in the documents."""

from serving.__main__ import quiet

quiet()
