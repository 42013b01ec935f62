"""The only room that knows hosts: the functions themselves, and what shows them in Excel and LibreOffice."""
