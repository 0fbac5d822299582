"""Who may do what, at every address: the matrix that tests/test_access_matrix.py goes through."""
