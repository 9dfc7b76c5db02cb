"""What follows a verb that takes settings: its own flags, folders, Hydra's flags and overrides, told apart.

Words that Hydra would misread are refused here with what is to be written instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.choices import choices
from harness.errors import UserError, nearest
from harness.overrides import refuse_unreadable
from harness.records.folders import RESULTS, find_folder, is_results
from harness.setting_names import meant, setting_names
from harness.verbs import FLAGS, FOLDER_VERBS, VALUED

#: Hydra's flags, and which of them the next word belongs to.
_ALONE = ("--help", "-h", "--hydra-help", "--version", "--multirun", "-m", "--run", "-r", "--resolve")
_WITH_VALUE = (
    *("--cfg", "-c", "--package", "-p", "--info", "-i"),
    *("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn"),
)
_COMPLETION = ("--shell-completion", "-sc")
#: What a verb needs that finds the runs of a sweep by its settings.
AS_FOR_SWEEP = "the settings of its sweep (experiment=NAME, or family=NAME, task=NAME and the rest)"
#: Flags of other tools -> what does the same here.
_INSTEAD = {
    "--dry-run": "`harness plan` shows what `harness sweep` would train",
    "--resume": "the same command goes on where it stopped",
    "--force": "`harness redo` trains recorded runs anew",
}


@dataclass(frozen=True)
class Words:
    """Words told apart.

    Attributes:
        flags: the verb's own, each with its value, True where it takes none.
        folders: results folders.
        rest: overrides, and flags of Hydra's.
        for_hydra: whether there are flags of Hydra's.
    """

    flags: dict[str, str | bool]
    folders: tuple[str, ...]
    rest: tuple[str, ...]
    for_hydra: bool

    def commands(self) -> list[list[str]]:
        """The overrides of each folder, or of the one command that there is without folders."""
        return [[*self.rest, f"results='{folder}'"] for folder in self.folders] or [list(self.rest)]


def told_apart(verb: str | None, words: Sequence[str]) -> Words:
    """The words after a verb, None where only flags are given.

    Raises:
        UserError: a word that is neither a setting nor a flag.
    """
    flags, folders, rest, for_hydra = dict[str, str | bool](), list[str](), list[str](), False
    refuse_unreadable(words)
    own = FLAGS.get(verb or "", ())
    following = iter(words)
    for word in following:
        name, given, value = word.partition("=")
        if name in own and name in VALUED:
            if not (value := value if given else next(following, "")):
                raise UserError(f"{name}: a value is wanted (see harness {verb} --help)")
            flags[name] = value
        elif word in own:
            flags[word] = True
        elif name in own:
            raise UserError(f"{word}: {name} takes no value")
        elif word.startswith("-"):
            rest += _flag_of_hydra(verb, word, following)
            for_hydra = True
        elif "=" in word or word.startswith("~"):
            rest.append(word)
        elif verb in FOLDER_VERBS:
            folders.append(str(find_folder(word)))
        else:
            raise UserError(_no_setting(verb, word))
    naming = [word for word in rest if word.partition("=")[0].lstrip("+") in ("name", "results")]
    if folders and naming:
        raise UserError(f"{naming[0]}: the results folder is {folders[0]} already; give one of the two")
    return Words(flags, tuple(folders), tuple(rest), for_hydra)


def _flag_of_hydra(verb: str | None, word: str, following: Iterator[str]) -> list[str]:
    name = word.partition("=")[0]
    if name in _WITH_VALUE and "=" not in word:
        return [word, *([value] if (value := next(following, None)) is not None else [])]
    if word in _ALONE or name in (*_WITH_VALUE, *_COMPLETION):
        return [word]
    see = f"(see harness {f'{verb} ' if verb else ''}--help)"
    if name in _INSTEAD:
        raise UserError(f"{name} is not a flag: {_INSTEAD[name]} {see}")
    bare, given, value = word.lstrip("-").replace("-", "_").partition("=")
    if setting := meant(bare):
        after = next(following, "=")
        shown = value if given else "VALUE" if "=" in after else after
        raise UserError(f"{name}: settings are written without dashes: {setting}={shown}")
    # A short name may be near to any other.
    known = (*FLAGS.get(verb or "", ()), *_ALONE, *_WITH_VALUE)
    near = nearest(word, [flag for flag in known if flag.startswith("--")]) if word.startswith("--") else ""
    raise UserError(f"{word} is not a flag{f' of {verb}' if verb else ''}{near} {see}")


def _no_setting(verb: str | None, word: str) -> str:
    # Data are those of a task; every other verb is of an experiment first.
    for group in ("task", "experiment") if verb == "data" else ("experiment", "task", "family"):
        if word in choices(group):
            return f"{word}: write {group}={word}"
    if is_results(word) or word.startswith(f"{RESULTS}/"):
        takes = ", ".join(FOLDER_VERBS)
        return f"{word}: {verb} takes {AS_FOR_SWEEP}, and finds the results; a folder is for {takes}"
    if word in setting_names():
        return f"{word}: a value is wanted, {word}=VALUE, without spaces around ="
    return f"{word}: settings are written NAME=VALUE, without spaces around ="
