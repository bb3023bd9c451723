"""tox plugin: let environments that install the same things share one virtual environment, since torch is large.

tox remembers for which environment a folder was made and makes it anew for any other. The runner "shared" forgets the
name and keeps every other check: another Python, other dependencies or another torch still rebuild the folder.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from tox.plugin import impl
from tox.tox_env.api import ToxEnv
from tox.tox_env.info import Info
from tox.tox_env.python.virtual_env.runner import VirtualEnvRunner
from tox.tox_env.register import ToxEnvRegister


class SharedInfo(Info):
    """What tox notes in the folder, the environment's name left out."""

    def compare(
        self, value: Any, section: str, sub_section: str | None = None
    ) -> AbstractContextManager[tuple[bool, Any | None]]:
        """Compare with what was noted, as tox does."""
        if section == ToxEnv.__name__:
            value = {**value, "name": "shared"}
        return super().compare(value, section, sub_section)


class SharedRunner(VirtualEnvRunner):
    """A virtual environment that several tox environments use."""

    @staticmethod
    def id() -> str:
        """Name of this runner in tox.ini."""
        return "shared"

    @property
    def cache(self) -> Info:
        """What tox notes in the folder."""
        return SharedInfo(self.env_dir)


@impl
def tox_register_tox_env(register: ToxEnvRegister) -> None:
    """Make the runner known to tox."""
    register.add_run_env(SharedRunner)
