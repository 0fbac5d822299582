"""Properties over whole lives of a participant: what must hold in any order, with two actors at once."""
