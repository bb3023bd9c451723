"""How one check is judged: a law, its search for a counterexample, and what is kept of a find."""
