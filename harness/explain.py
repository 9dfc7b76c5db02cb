"""A command's mistake in one line or two: what Hydra and OmegaConf find, in the house's own words."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Any, get_type_hints

import yaml
from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from harness.choices import choices, config_folders, config_groups, not_utf8, read_config
from harness.errors import nearest
from harness.setting_names import allowed_words, suggestion
from harness.settings import Settings

#: What the file of an experiment begins with, so that its settings are those of the whole and not of a part.
HEADER = "# @package _global_"
#: More choices than these are not listed in an error.
_MOST_LISTED = 12
#: Where a second setting begins in a word.
_FURTHER = re.compile(r"\s+[~+]{0,2}[A-Za-z_][\w./]*=")
#: What Hydra says of a list of defaults that makes a choice in another way than by override.
_UNCHOSEN = (
    r"Multiple values for (?P<group>\w+)\. To override a value use 'override \w+: (?P<choice>[^']+)'",
    r"Could not override '(?:experiment/)?(?P<group>\w+)(?:@[\w.]+)?'\. No match in the defaults list",
)


def explain(error: Exception, files: Sequence[str] = (), lists: str = "") -> str:
    """An error of Hydra, of OmegaConf or of a YAML file in at most two lines.

    Args:
        files: the experiments that were composed, as Hydra names files: experiment/mine.
        lists: the one that lists them as its studies, if any.
    """
    text = str(error)
    if text.startswith("Ambiguous value for argument"):
        override = text.split("'")[1]
        return f"{override}: a list is written as [a,b]; to sweep over values add --multirun"
    if isinstance(error, OverflowError):
        name = re.search(r"full_key: (\S+)", text)
        return f"{name[1] if name else 'a setting'}: {_first_line(error)}; a smaller number is wanted"
    if isinstance(error, yaml.YAMLError):
        return _not_yaml(error)
    if isinstance(error, UnicodeDecodeError):
        every = (path for group in config_groups() for path in choices(group).values())
        return next((str(not_utf8(path)) for path in every if error.object in path.read_bytes()), text)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        path, file = error.missing_cfg_file, _file_of(error)
        listed = path.startswith("experiment/") and not file.startswith("experiment/")
        return _no_such_choice(path, lists if listed else file)
    if isinstance(error, OverrideParseException):
        return _not_an_override(error.override)
    if found := _wrongly_chosen(error, files):
        return found
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__ or error.__context__
    if isinstance(cause, OmegaConfBaseException):
        return _wrong_setting(cause, _file_of(error), error is cause, _first_line(error))
    return "\n".join(text.strip().splitlines()[:2])


def unknown_setting(name: str, known: Iterable[str], file: str = "", of: str = "") -> str:
    """What to say of a name that is no setting.

    Args:
        known: full names that are allowed where it stands.
        of: the class whose settings these are, for one of a family or task.
        file: the config that it stands in, as Hydra names it: experiment/mine; '' for the command line.
    """
    if file.startswith("experiment/") and name in ("experiment", _package(file)):
        return _outside(file)
    where = f"{shown(file)}: " if file else ""
    prefix, _, _ = name.rpartition(".")
    named = [each for each in known if each.rpartition(".")[2] != "_target_"]
    if prefix in ("family", "task"):  # whose settings are those of what is chosen
        rest = _near(name, named) or "; it has " + ", ".join(each.rpartition(".")[2] for each in named)
        return f"{where}{name} is not a setting of {of or f'the {prefix} chosen'}{rest}"
    return f"{where}{name} is not a setting{_near(name, named) if prefix else suggestion(name)}"


def _near(name: str, known: list[str]) -> str:
    """As `suggestion`, comparing only the last parts of names of one group."""
    last = {full.rpartition(".")[2]: full for full in known}
    near = nearest(name.rpartition(".")[2], last)
    return re.sub(r"'(.+)'", lambda found: f"'{last[found[1]]}'", near)


# ------------------------------------------------------------------------------------------ a setting's name and value


def _wrong_setting(cause: OmegaConfBaseException, file: str, alone: bool, first_line: str) -> str:
    name = str(cause.full_key or cause.key or "")
    if isinstance(cause, ConfigAttributeError | ConfigKeyError):
        parent, prefix = cause.parent_node, name.rpartition(".")[0]
        known = [str(key) for key in parent] if isinstance(parent, DictConfig) else []
        of = str(parent.get("_target_") or "") if isinstance(parent, DictConfig) and "_target_" in parent else ""
        return unknown_setting(name, [f"{prefix}.{key}" if prefix else key for key in known], file, of)
    override = "" if file or alone else first_line.removeprefix("Error merging override ")
    where = f"{shown(file)}: " if file else ""
    if group := _group_given_as_value(cause):
        return f"{where}{override or group}: is a group of settings and no value; {how_to_choose(group)}"
    if isinstance(cause, ValidationError) and (allowed := allowed_words(name)):
        found = re.search(r"[Vv]alue '(.*?)'", str(cause))
        value = "null" if found is None or found[1] == "None" else found[1]
        return f"{where}{override or f'{name}={value}'}: allowed is {allowed}"
    named = override.partition("=")[0]
    if str(cause).startswith("Cannot merge") and (allowed := allowed_words(named)):
        return f"{where}{override}: allowed is {allowed}"
    return f"{where}{override or name}: {_first_line(cause)}"


def _group_given_as_value(cause: OmegaConfBaseException) -> str | None:
    """The group that a file or an override gives a plain value to."""
    found = re.search(r"is not a subclass of (\w+)", str(cause))
    hints = get_type_hints(Settings).items()
    kinds = {kind.__name__: name for name, kind in hints if isinstance(kind, type) and dataclasses.is_dataclass(kind)}
    return kinds.get(found[1]) if found else None


def _not_an_override(override: str) -> str:
    """What is wrong with a word that Hydra's grammar does not know."""
    name, given, value = override.partition("=")
    if not given:
        return f"{override}: settings are written NAME=VALUE, without spaces around ="
    if (found := _FURTHER.search(value)) and _is_closed(first := value[: found.start()]):
        return f"{override}: holds several settings; write one string a setting: '{name}={first}', ..."
    if value.startswith("(") or value.startswith("[") != value.endswith("]"):
        return f"{override}: a list is written as [a,b], without spaces, or with the whole in quotes: '{name}=[a, b]'"
    return f"{override}: not a value that can be read; put one with signs in quotes twice: \"{name}='...'\""


def _is_closed(text: str) -> bool:
    """Whether as many brackets end in a text as begin in it."""
    return all(text.count(begins) == text.count(ends) for begins, ends in ("[]", "{}", "()"))


# ------------------------------------------------------------------------------------------------- files and choices


def _file_of(error: Exception) -> str:
    """The config that an error of Hydra was found in, as Hydra names it; '' where it says none."""
    found = re.search(r"In '(.+?)'", str(error))
    return found[1] if found else ""


def shown(file: str) -> str:
    """A config as its user knows it, by the name that Hydra has for it."""
    return f"conf/{file}.yaml"


def _no_such_choice(path: str, file: str) -> str:
    group, _, name = path.rpartition("/") if path.startswith("hydra/") else path.partition("/")
    inner, _, choice = name.partition("/")
    if group == "experiment" and file.startswith("experiment/") and choice and inner in config_groups():
        return f"{shown(file)}: - {inner}: {choice}: {how_to_choose(inner, choice)}"
    in_file = file.startswith("experiment/") and file != path
    if in_file and (of := next((other for other in config_groups() if name in choices(other)), None)):
        return f"{shown(file)}: - {name}: {how_to_choose(of, name)}"
    where = f"{shown(file)}: " if in_file else ""
    return f"{where}{group}={name}: there is no conf/{path.removesuffix('.yaml')}.yaml{_near_choice(group, name)}"


def _near_choice(group: str, name: str) -> str:
    """The choice that is meant, and what else can be chosen."""
    known = list(choices(group))
    plain = re.sub(rf"^(\./)?(conf/)?({group}/)?", "", name).removesuffix(".yaml")
    if plain != name and plain in known:
        return f"; write {group}={plain}"
    last = [each for each in known if each.rpartition("/")[2] == plain]
    near = f"; did you mean '{last[0]}'?" if last else nearest(plain.lower(), known)
    if len(known) <= _MOST_LISTED:
        return f"{near}\nchoose one of {', '.join(known)}" if known else near
    rest = "" if near else f"\nchoose one of {', '.join(each for each in known if '/' not in each)}, ..."
    return f"{near}{rest} (`harness settings {group}` lists all)"


def how_to_choose(group: str, choice: str = "NAME") -> str:
    """How an experiment's file makes a choice of a config group."""
    return f"under defaults in an experiment's file a choice is written as\n  - override /{group}: {choice}"


def _wrongly_chosen(error: Exception, files: Sequence[str]) -> str:
    """What to say where the list of defaults of an experiment's file is at fault, '' where it is not."""
    text, file = str(error), _file_of(error)
    where = f"{shown(file)}: " if file else ""
    if re.search(r"Could not override '(\w+)@[\w.]+\.\1'", text):
        return _outside(file)
    for pattern in _UNCHOSEN:
        if found := re.search(pattern, text):
            group, choice = found["group"], found.groupdict().get("choice", "NAME")
            where = where or next((f"{shown(name)}: " for name in files if _chooses_anew(name, group)), "")
            return where + how_to_choose(group, choice)
    if found := re.search(r"Invalid defaults list in '(.+?)', defaults must be a list", text):
        return f"{shown(found[1])}: {how_to_choose('family', 'mlp')}"
    return ""


def _chooses_anew(file: str, group: str) -> bool:
    """Whether the list of defaults in a file makes a choice without `override`."""
    content = content_of(file)
    defaults = content.get("defaults") if isinstance(content, dict) else None
    entries = [entry for entry in defaults if isinstance(entry, dict)] if isinstance(defaults, list) else []
    return any(str(name).lstrip("/") == group for entry in entries for name in entry)


def _outside(file: str) -> str:
    """What to say of an experiment's file whose settings do not reach the whole."""
    content = content_of(file)
    if not isinstance(content, dict):
        return f"{shown(file)}: holds no settings; after the first line, {HEADER}, write NAME: VALUE, one a line"
    return f"{shown(file)}: its first line must be {HEADER}"


def _package(file: str) -> str:
    """Where a file says that its settings belong, if it does."""
    found = re.match(r"#\s*@package\s+(\S+)", _text(file))
    return found[1] if found else ""


def content_of(file: str) -> Any:
    """What a config holds, by the name that Hydra has for it; None where there is no such file."""
    return yaml.safe_load(_text(file))


def _text(file: str) -> str:
    paths = [folder / f"{file}.yaml" for folder in config_folders()]
    return next((read_config(path) for path in paths if path.is_file()), "")


def _not_yaml(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or (mark := error.problem_mark) is None:
        return _first_line(error)
    problem = "a tab; YAML is indented with spaces" if "'\\t'" in str(error.problem) else error.problem
    return f"{mark.name}, line {mark.line + 1}: {problem}"


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]
