"""What others published of the same benchmarks: where they place emergence, with the source of each number.

All are read by eye off curves, or are the first size of a coarse ladder at which a model is above chance: they are
known to a factor of three to ten.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A benchmark in the literature.

    Attributes:
        wu_lo: training FLOPs at which Wu and Lo (2025) place its emergence, in the same table as ours, and below which
            their forecasts are fitted; NaN for the three that they call "No Emergence". From `utils.py` of
            github.com/tony10101105/ExpEmergence, commit 288b731.
        chance: of a guesser, from the same file.
        wei: training FLOPs of the first model with it in Wei et al. (2022), table 1, and for tasks of BIG-bench the
            model in Wei's list (jasonwei.net/blog/emergence) with the FLOPs of that model in table 1; NaN where they
            have none.
        wei_model: that model.
        note: where their questions are not the same.
    """

    wu_lo: float
    chance: float
    wei: float = float("nan")
    wei_model: str = ""
    note: str = ""


BENCHMARKS = {
    "mmlu": Published(10**22.5, 0.25, 3.1e23, "GPT-3 175B", "57 topics, average"),
    "parsinlu_qa_mc": Published(10**23.3, 0.25, 2.9e23, "PaLM 62B"),
    "arithmetic": Published(10**22.8, 0.145, 2.3e22, "GPT-3 13B", "sums of three digits, answers written freely"),
    "hindu_knowledge": Published(10**22.0, 0.25, 2.3e22, "GPT-3 13B"),
    "analogical_similarity": Published(10**23.0, 0.145, 2.5e24, "PaLM 540B"),
    "conceptual_combinations": Published(10**22.5, 0.25, 2.9e23, "PaLM 62B"),
    "hellaswag": Published(float("nan"), 0.25),
    "arc": Published(float("nan"), 0.25),
    "abstract_narrative_understanding": Published(float("nan"), 0.1),
}

#: MMLU's subjects that Wei's list places at Chinchilla 7B, within the ladders of OPT and Pythia, by their names in
#: lm-evaluation-harness.
AT_CHINCHILLA_7B = tuple(
    f"hendrycksTest-{subject}"
    for subject in (
        *("professional_medicine", "high_school_statistics", "high_school_macroeconomics", "high_school_psychology"),
        *("anatomy", "high_school_government_and_politics", "high_school_microeconomics"),
    )
)

#: Training tokens between which induction heads form in transformers of 1 to 40 layers (Olsson et al. 2022, "In-context
#: Learning and Induction Heads", argument 1), the nearest published threshold over training.
INDUCTION_TOKENS = (2.5e9, 5e9)
