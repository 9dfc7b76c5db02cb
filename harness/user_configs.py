"""The user's ./conf as Hydra reads it: settings of studies, and none of Hydra's own, which can name code to be run.

A folder with a ./conf may come from a stranger, and `harness analyze results=.` reads it there.
"""

from __future__ import annotations

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from harness.choices import config_folders
from harness.errors import UserError

#: Where all that is Hydra's own lies in a config: callbacks, launchers, logging, variables of the environment.
_OF_HYDRA = "hydra"


class UserConfigs(SearchPathPlugin):
    """Lets Hydra look for configs in the user's ./conf before the harness's own."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in config_folders()[:-1]:
            search_path.prepend("user", f"{UserFiles.scheme()}://{folder}")


class UserFiles(FileConfigSource):
    """The files of ./conf."""

    @staticmethod
    def scheme() -> str:
        return "user"

    def load_config(self, config_path: str) -> ConfigResult:
        """As any file is loaded.

        Raises:
            UserError: it sets anything of Hydra's own.
        """
        found = super().load_config(config_path)
        content = OmegaConf.to_container(found.config)
        keys = content if isinstance(content, dict) else {}
        packages = [found.header.get("package") or "", *_packages(keys.get("defaults"))]
        if (
            config_path.split("/")[0] == _OF_HYDRA
            or any(str(key).split(".")[0] == _OF_HYDRA for key in keys)
            or any(_OF_HYDRA in package.split(".") for package in packages)
        ):
            path = f"conf/{config_path.removesuffix('.yaml')}.yaml"
            raise UserError(f"{path}: sets something of {_OF_HYDRA}, which is only taken from the command line")
        return found


def _packages(defaults: object) -> list[str]:
    """Where a list of defaults puts other files: ``x`` of ``group@x: file``."""
    entries = defaults if isinstance(defaults, list) else []
    words = [str(word) for entry in entries for word in (entry if isinstance(entry, dict) else [entry])]
    return [word.partition("@")[2] for word in words]
