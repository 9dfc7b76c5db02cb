"""Pages that lie elsewhere in the repository, each as it is: methods, changes, experiments.

The manual's own pages link to the files themselves (`../../experiments/mup/README.md`), so that the links lead
somewhere on a code host too; here they are turned to the pages.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[2]
PAGES = {
    "method/fitting.md": "harness/analysis/fitting/METHOD.md",
    "method/planning.md": "harness/analysis/planning/METHOD.md",
    "method/emergence.md": "harness/analysis/emergence/METHOD.md",
    "method/verdicts.md": "harness/analysis/emergence/VERDICTS.md",
    "changelog.md": "CHANGELOG.md",
}
READMES = sorted((REPOSITORY / "experiments").glob("*/README.md"))


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    experiments: list[object] = ["experiments/index.md"]
    experiments += [{_title(path): _page(path)} for path in READMES]
    config.nav = [
        {"Experiments": experiments} if item == {"Experiments": "EXPERIMENTS"} else item for item in config.nav
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for page, source in PAGES.items():
        files.append(File.generated(config, page, content=(REPOSITORY / source).read_text()))
    files.append(File.generated(config, "experiments/index.md", content=_list_of_experiments()))
    for readme in READMES:
        files.append(File.generated(config, _page(readme), content=readme.read_text()))
        for figure in readme.parent.glob("*.png"):
            name = f"experiments/{readme.parent.name}/{figure.name}"
            files.append(File.generated(config, name, abs_src_path=str(figure)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    if page.file.generated_by:
        return markdown
    return re.sub(r"\]\(\.\./\.\./([^)#]+)", lambda link: f"]({_page_of(link[1])}", markdown)


def _page_of(source: str) -> str:
    """The page of a file of the repository; figures keep their place."""
    pages = {at: page for page, at in PAGES.items()} | {"experiments": "experiments/index.md"}
    return pages.get(source, source.replace("README.md", "index.md").replace(".ipynb", ".md"))


def _page(readme: Path) -> str:
    return f"experiments/{readme.parent.name}/index.md"


def _title(readme: Path) -> str:
    return readme.read_text().partition("\n")[0].removeprefix("# ")


def _list_of_experiments() -> str:
    rows = [f"- [{_title(path)}]({path.parent.name}/index.md): `experiments/{path.parent.name}`" for path in READMES]
    return (
        "# Experiments\n\nOne folder a study: what it claims, the command, what came out.\n\n" + "\n".join(rows) + "\n"
    )
