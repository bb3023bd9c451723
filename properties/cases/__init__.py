"""Cases: shapes, arguments and values for which an operator is defined, and how Hypothesis draws them."""
