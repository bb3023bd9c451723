"""The option that laws, benchmarks and the report's tests share."""

pytest_plugins = ["properties.session.evidence_option"]
