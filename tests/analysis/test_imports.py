"""The analysis half stands alone."""

from __future__ import annotations

import subprocess
import sys

import harness


def loaded_by(code: str) -> set[str]:
    show = f"{code}; import sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    return set(subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout.split())


def test_analysis_loads_neither_torch_nor_hydra() -> None:
    loaded = loaded_by(
        "import harness, harness.analysis; harness.PowerLaw(n_bootstrap=100).fit([1,2,4,8],[4,3,2.5,2.2])"
    )
    assert not loaded & {"torch", "hydra", "omegaconf", "matplotlib"}
    assert "scipy" in loaded


def test_the_package_alone_loads_nothing_heavy() -> None:
    assert not loaded_by("import harness; dir(harness)") & {"torch", "hydra", "omegaconf", "scipy", "numpy", "pandas"}


def test_every_public_name_is_there() -> None:
    for name in harness.__all__:
        assert callable(getattr(harness, name))
    assert not hasattr(harness, "no_such_name")
