"""Hydra's --multirun through the harness's own pool. Hydra looks for launchers in this namespace only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig


class HarnessLauncher(Launcher):
    """Hands the overrides of all jobs at once to the `harness.study_verbs.Command` that Hydra was started with."""

    def setup(self, *, hydra_context: Any, task_function: Any, config: DictConfig) -> None:
        self.command = task_function

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        self.command.run(job_overrides)
        return []


ConfigStore.instance().store(
    group="hydra/launcher",
    name="harness",
    node={"_target_": f"{__name__}.{HarnessLauncher.__name__}"},
    provider="harness",
)
