"""The functions in Excel on Mac and on the web, through xlwings-server: an optional extra with its own licence."""
