"""The machinery of the API: who is let in, how errors, pages and repeated writes look. Knows no resource."""
