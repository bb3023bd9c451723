"""The entries of the ledger of known divergences, by kind (see :mod:`properties.ledger.known`)."""
