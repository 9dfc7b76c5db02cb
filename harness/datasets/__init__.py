"""Data sets whose truth is known, for tests, experiments, documentation and methods of one's own.

Makers in the manner of scikit-learn's `make_regression`: numbers of curves, sizes and seeds, a noise, a random state.

    make_smooth_curves    scores that rise smoothly with size, of 15 kinds
    make_jumps            scores that jump between two sizes, of 5 kinds
    make_metric_pairs     exact match and token accuracy of the same outputs
    make_recipes          scores of recipes along a ladder, with known signal, noise and order
    make_finetuned        scores of a family and of what was fine-tuned from it, with known thresholds
    make_surface          losses over parameters and tokens, at fixed budgets of compute
    make_transfer         losses of runs from scratch and of pretrained runs
    make_parity_study     ... and four more tables shaped like the studies of the quickstart
"""

from harness.datasets.curves import (
    PlantedCurves,
    PlantedPairs,
    draw_curves,
    make_jumps,
    make_metric_pairs,
    make_smooth_curves,
)
from harness.datasets.finetuned import PlantedFinetuning, make_finetuned
from harness.datasets.kinds import JUMP_KINDS, SMOOTH_KINDS
from harness.datasets.recipes import PlantedRecipes, make_recipes
from harness.datasets.studies import (
    make_digits_study,
    make_induction_study,
    make_lookup_study,
    make_parity_study,
    make_text_study,
)
from harness.datasets.surfaces import LossSurface, PlantedSurface, make_surface
from harness.datasets.transfer import PlantedTransfer, TransferTruth, make_transfer

__all__ = [
    "JUMP_KINDS",
    "SMOOTH_KINDS",
    "LossSurface",
    "PlantedCurves",
    "PlantedFinetuning",
    "PlantedPairs",
    "PlantedRecipes",
    "PlantedSurface",
    "PlantedTransfer",
    "TransferTruth",
    "draw_curves",
    "make_digits_study",
    "make_finetuned",
    "make_induction_study",
    "make_jumps",
    "make_lookup_study",
    "make_metric_pairs",
    "make_parity_study",
    "make_recipes",
    "make_smooth_curves",
    "make_surface",
    "make_text_study",
    "make_transfer",
]
