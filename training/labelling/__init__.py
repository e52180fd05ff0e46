"""Labels from people: the page where one labels, the answers on disk, agreement, the forms of other tools."""
