"""File imports: archives and files read, rows rejected, provenance kept, imports undone."""
