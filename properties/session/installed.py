"""The suite where it is installed: ``pytest --noconftest -p properties.session.installed --pyargs properties``.

pytest looks for the options of a conftest.py in folders that it is given, and not in packages.
"""

pytest_plugins = ["properties.session.evidence_option", "properties.conftest"]
