"""From overrides to studies: the one place where Hydra composes configs and a DictConfig becomes plain `Settings`.

A command is a list of overrides; overrides mean one study, or the several of an experiment that lists `studies`. What
leaves this module are `harness.settings.Settings` with family and task built; nothing past it sees Hydra.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from harness.by_name import import_by_name
from harness.choices import choices, config_folders, config_groups
from harness.data.settings import DataSettings
from harness.errors import SettingError, UserError
from harness.explain import content_of, explain, how_to_choose, shown, unknown_setting
from harness.overrides import refuse_unreadable
from harness.ranges import ALLOWED, LARGEST_WHOLE, identity_of
from harness.records.object_store import is_url
from harness.records.working_copy import working_copy
from harness.settings import Settings
from harness.user_configs import UserConfigs, UserFiles

#: Groups whose choice on the command line picks, in an experiment of several studies, those that made this choice.
PICKING = ("task", "family")

#: Settings of which the studies of an experiment have one value, the experiment's, and none of their own.
SHARED = ("name", "results", "analysis", "studies")

#: Overrides of a multirun that need no name of a study: they give one, or add members to the same curve.
_NAMING = ("experiment=", "study=", "name=", "results=", "seeds=", "first_seed=")


#: Hydra composes for one caller at a time in a process, whatever the thread.
_ONE_AT_A_TIME = RLock()

#: Settings that make a run what it is, family and task apart.
_OF_A_STUDY = ("study", "ladder", "loss", "optimizer", "schedule", "parametrization", "data")


def compose(*overrides: str) -> list[Settings]:
    """The studies that these overrides mean, e.g. ``compose("experiment=quickstart", "seeds=1")``; for scripts.

    Raises:
        UserError, HydraException: an override that cannot be used.
    """
    with composing():
        return studies_of(compose_studies(overrides))


@contextmanager
def composing() -> Iterator[None]:
    """A `with` block in which configs can be composed; other threads wait for its end."""
    with _ONE_AT_A_TIME:
        register()
        with hydra.initialize_config_dir(str(config_folders()[-1]), version_base="1.3"):
            yield


def register() -> None:
    """Make settings and search path known to Hydra."""
    ConfigStore.instance().store(name="settings", node=Settings)
    for plugin in (UserFiles, UserConfigs):
        Plugins.instance().register(plugin)


# ------------------------------------------------------------------------------------------ from overrides to configs


def compose_commands(commands: Sequence[Sequence[str]]) -> list[DictConfig]:
    """The studies of all these lists of overrides, named apart where a multirun swept a setting."""
    by_command = [compose_studies(overrides) for overrides in commands]
    _name_apart(by_command, commands)
    return [study for studies in by_command for study in studies]


def compose_studies(overrides: Sequence[str]) -> list[DictConfig]:
    """One config for each study that the overrides mean.

    An experiment that lists `studies` means one config for each, composed of the study's own file, then what the
    experiment sets beside `studies`, then the command line; later ones win. Choices of task and family on the command
    line pick the studies that made them.
    """
    refuse_unreadable(overrides)
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    _refuse_choices(parsed)
    by_root = [(str(o.key_or_group).split(".")[0], o) for o in parsed]
    outer = _compose([str(o.input_line) for root, o in by_root if root in (*SHARED, "experiment")])
    studies = _flat([OmegaConf.to_object(outer.studies) if OmegaConf.is_config(outer.studies) else outer.studies])
    if not all(isinstance(study, str) for study in studies):
        raise SettingError("studies", studies, "names of files in conf/experiment, such as quickstart/parity")
    experiments = _flat([o.value() for root, o in by_root if root == "experiment"][-1:])
    if not studies:
        study = _compose(overrides)
        if experiments or any(root in PICKING for root, _ in by_root):
            _refuse_unchosen(study, overrides, experiments)
        return [study]
    lists = _listing(experiments)
    _refuse_unreadable(studies, lists)
    files = {study: f"experiment=[{','.join([study, *experiments])}]" for study in studies}
    picks = {root: o.value() for root, o in by_root if root in PICKING and o.key_or_group == root}
    if picks:
        files = _pick(files, picks, lists)
    rest = [
        str(o.input_line) for root, o in by_root if root not in (*SHARED, "experiment") and o.key_or_group not in picks
    ]
    composed = [_compose([file, *rest], lists) for file in files.values()]
    for name, study in zip(files, composed, strict=True):
        _refuse_unchosen(study, [files[name], *rest], [name, *experiments])
        for key in SHARED:
            study[key] = outer[key]
    _refuse_one_name(dict(zip(files, composed, strict=True)))
    return composed


def _refuse_choices(overrides: Sequence[Override]) -> None:
    """Raise UserError for a family or task that is null, and for a list where one choice is made."""
    groups = config_groups()
    for override in overrides:
        group, value = override.key_or_group, override.value()
        if group in PICKING and value is None:
            raise UserError(f"{group}=null: give {group}=NAME, one of {', '.join(choices(group))}")
        if group in groups and not isinstance(value, str | list | None):
            raise UserError(f"{override.input_line}: one of {', '.join(choices(str(group)))} is wanted")
        if group in groups and group != "experiment" and isinstance(value, list):
            each = ",".join(map(str, value))
            turns = f"--multirun {group}={each} takes each in turn"
            raise UserError(f"{override.input_line}: one choice is wanted; {turns}")


def _flat(values: Sequence[Any]) -> list[Any]:
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def _refuse_one_name(studies: Mapping[str, DictConfig]) -> None:
    """Raise UserError for two studies of one name, whose runs would make one curve."""
    first: dict[str, str] = {}
    for file, config in studies.items():
        if (other := first.setdefault(config.study, file)) != file:
            raise UserError(
                f"study={config.study}: the name of both {other} and {file}; studies of one experiment need names of "
                "their own, each in its own file"
            )


def refuse_settings_of_a_study(overrides: Sequence[str]) -> None:
    """Raise UserError for an override that would change nothing, because it is of a study and none is chosen."""
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if str(override.key_or_group).split(".")[0] in _OF_A_STUDY:
            raise UserError(
                f"{override.input_line}: is a setting of a study, and none is chosen: give family= and task=, or "
                "experiment=, as for sweep"
            )


def _listing(experiments: Sequence[Any]) -> str:
    """The file that lists studies, of the experiments that are chosen; '' where the command line does."""
    files = [f"experiment/{name}" for name in experiments]
    listing = [file for file in files if isinstance(found := content_of(file), dict) and found.get("studies")]
    return (listing or files or [""])[-1]


def _refuse_unreadable(studies: Sequence[Any], lists: str) -> None:
    """Raise UserError for a study whose file lists studies, itself perhaps: those would never be looked at."""
    for study in studies:
        inside = content_of(file := f"experiment/{study}")
        if isinstance(inside, dict) and inside.get("studies"):
            its = ", ".join(map(str, _flat([inside["studies"]])))
            where = f"{shown(lists)}: " if lists else ""
            found = "is this file itself" if file == lists else f"{shown(file)} lists studies of its own ({its})"
            raise UserError(f"{where}studies: {study}: {found}; a study is a file without studies")


def _refuse_unchosen(study: DictConfig, overrides: Sequence[str], experiments: Sequence[Any]) -> None:
    """Raise UserError, with the file at fault, for a family or task that is no class with its settings."""
    for group in reversed(PICKING):
        value = study[group]
        if isinstance(value, str):
            files = [f"experiment/{name}" for name in experiments]
            given = [file for file in files if isinstance(found := content_of(file), dict) and group in found]
            where = f"{shown(given[-1])}: " if given else ""
            raise UserError(f"{where}{group}: {value}: {how_to_choose(group, value)}")
        if OmegaConf.is_dict(value) and "_target_" in value:
            continue
        made = _composed_by_hydra(overrides, return_hydra_config=True).hydra.runtime.choices
        if chosen := made.get(group):
            path = choices(group).get(chosen, f"conf/{group}/{chosen}.yaml")
            raise UserError(f"{path}: has no _target_, which names the class of this {group}: module.Class")


def _compose(overrides: Sequence[str], lists: str = "") -> DictConfig:
    composed = _composed_by_hydra(overrides, lists)
    _refuse_unknown(composed)
    return composed


def _composed_by_hydra(overrides: Sequence[str], lists: str = "", **how: Any) -> DictConfig:
    """As Hydra composes them; `lists` is the file that lists the experiment of `overrides` among its studies."""
    try:
        return hydra.compose("config", list(overrides), **how)
    except (
        ValueError,
        OverflowError,
        ConfigCompositionException,
    ) as error:  # the former for a list of defaults that is none
        raise UserError(explain(error, _experiments(overrides), lists)) from error


def _experiments(overrides: Sequence[str]) -> list[str]:
    """The files of experiments that overrides choose, as Hydra names them."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [f"experiment/{name}" for o in parsed if o.key_or_group == "experiment" for name in _flat([o.value()])]


def _refuse_unknown(node: Any, prefix: str = "") -> None:
    """Raise UserError for a setting that no dataclass knows; `+name=value` is how one gets in."""
    kind = OmegaConf.get_type(node) if isinstance(node, DictConfig) else None
    if kind is None or not dataclasses.is_dataclass(kind):
        return
    known = [prefix + field.name for field in dataclasses.fields(kind)]
    for key in node:
        if (name := prefix + str(key)) not in known:
            raise UserError(unknown_setting(name, known))
        _refuse_unknown(node[key], name + ".")


def _pick(files: Mapping[str, str], picks: Mapping[str, Any], lists: str) -> dict[str, str]:
    """Of the studies, each with the override that composes it, those whose own choices are `picks`, by group."""
    picked, known = {}, []
    for study, file in files.items():
        made = _composed_by_hydra([file], lists, return_hydra_config=True).hydra.runtime.choices
        known.append(f"{study} (task={made.task}, family={made.family})")
        if all(made[group] == choice for group, choice in picks.items()):
            picked[study] = file
    if not picked:
        wanted = " ".join(f"{group}={choice}" for group, choice in picks.items())
        raise UserError(f"no study of this experiment has {wanted}; its studies are\n{', '.join(known)}")
    return picked


def _name_apart(configs: Sequence[Sequence[DictConfig]], commands: Sequence[Sequence[str]]) -> None:
    """Add what a multirun swept to the names of its studies, lest two curves be taken for one."""
    for studies, overrides in zip(configs, commands, strict=True):
        swept = [o for o in overrides if any(o not in other for other in commands) and not o.startswith(_NAMING)]
        for study in studies if swept else []:
            study.study += f" ({', '.join(swept)})"


# ----------------------------------------------------------------------------------------- from a config to settings


def names_a_study(config: DictConfig) -> bool:
    """Whether a family or a task was chosen, rather than a results folder alone."""
    return config.family is not None or config.task is not None


def studies_of(configs: Iterable[DictConfig]) -> list[Settings]:
    """`to_settings` of the studies of a command, each with the runs that it starts from.

    Raises:
        UserError: as `to_settings`, or there are no such runs.
    """
    studies = [to_settings(config) for config in configs]
    if all(study.init_from is None for study in studies):
        return studies
    from harness.sweeping.parents import with_parents  # reads records

    return with_parents(studies)


def to_settings(config: DictConfig) -> Settings:
    """Turn a composed config into plain objects, family and task built; `init_from` stays what it says.

    Raises:
        UserError: a setting with an unknown name, a wrong type or a value out of its range.
    """
    plain = to_settings_alone(config)
    plain.family = _build("family", plain.family)
    plain.task = _build("task", plain.task, plain.data)
    return plain


def to_settings_alone(config: DictConfig) -> Settings:
    """`to_settings` with family and task left as they are, so that neither need be chosen.

    Results on an object store are from here on those of their working copy.

    Raises:
        UserError: as `to_settings`; results at a URL that cannot be used.
    """
    plain = _to_object(config)
    assert isinstance(plain, Settings)
    if is_url(plain.results):
        if plain.launcher.engine == "slurm":
            raise SettingError("results", plain.results, "a folder that all nodes see, with launcher=slurm")
        plain.results = str(working_copy(plain.results))
    return plain


def _to_object(config: Any) -> Any:
    try:
        return OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        # A dataclass that refuses a value does so inside OmegaConf, which wraps what it raised.
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise


def rebuild(studies: Sequence[Settings], setting: str, recorded: Mapping[str, Any]) -> Any:
    """The family or task ("family" or "task") of a recorded run.

    Its class is that of the study that has one of this name, else what ``conf/family`` or ``conf/task`` has under it.

    Args:
        recorded: its name and its settings.

    Raises:
        UserError: no class of this name is known, or its settings are others now.
    """
    values = dict(recorded)
    name = values.pop("name", None)
    for study in studies:
        if (chosen := getattr(study, setting)).name == name:
            if identity_of(chosen) == values:
                return chosen
            return _build(setting, {"_target_": f"{type(chosen).__module__}.{type(chosen).__qualname__}"} | values)
    if (path := choices(setting).get(str(name))) is not None:
        target = str(OmegaConf.select(OmegaConf.load(path), "_target_"))
        try:
            import_by_name(f"{setting}._target_", target, from_here=False)
        except UserError as error:
            raise UserError(f"{setting} {name}: {error}; give experiment= if it is a class of this folder") from error
        return _build(setting, {"_target_": target} | values)
    raise UserError(f"{setting} {name}: there is no conf/{setting}/{name}.yaml to find its class by; give experiment=")


def _build(setting: str, values: Any, data: DataSettings | None = None) -> Any:
    """The family or task that `_target_` names, of the settings beside it; a task with a field `data` is given it."""
    if not isinstance(values, dict) or "_target_" not in values:
        names = ", ".join(choices(setting))
        raise UserError(f"{setting} is not chosen: give {setting}=NAME, one of {names}; or an experiment=NAME")
    values = dict(values)
    target = values.pop("_target_")
    cls = import_by_name(f"{setting}._target_", str(target))
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise UserError(f"{setting}._target_={target} is not a dataclass, whose fields would be its settings")
    if data is not None and any(f.name == "data" for f in dataclasses.fields(cls)):
        if "data" in values:
            raise UserError(f"{setting}.data: data are settings of the study: give data=NAME or data.SETTING=VALUE")
        values["data"] = dataclasses.asdict(data)
    try:
        return _to_object(OmegaConf.merge(OmegaConf.structured(cls), values))
    except ConfigKeyError as error:
        known = [f"{setting}.{f.name}" for f in dataclasses.fields(cls)]
        raise UserError(unknown_setting(f"{setting}.{error.key}", known, of=str(target))) from error
    except OverflowError as error:  # a whole number that is too large for a float
        name = next(name for name, value in values.items() if isinstance(value, int) and abs(value) > LARGEST_WHOLE)
        raise SettingError(f"{setting}.{name}", values[name], f"a number, of at most {LARGEST_WHOLE:,}") from error
    except OmegaConfBaseException as error:
        ranges = {f.name: f.metadata[ALLOWED] for f in dataclasses.fields(cls) if ALLOWED in f.metadata}
        if error.key in ranges:
            raise SettingError(f"{setting}.{error.key}", values[error.key], str(ranges[error.key])) from error
        raise UserError(f"{setting}.{error.key or ''}: {str(error).splitlines()[0]}") from error
