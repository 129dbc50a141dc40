"""Operations: an operator's questions and acts, from values to values, for every front end."""
