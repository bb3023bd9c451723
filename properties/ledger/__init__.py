"""What torch is known to get wrong, by the component that is wrong (see :mod:`properties.ledger.known`)."""
