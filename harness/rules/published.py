"""Published rules, by name. All were fitted to language models of millions of parameters and more.

Below the sizes that they were fitted to they extrapolate, and their learning rates may be far from the best: a few
factors in `times` show how far.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.rules.base import BATCH_SIZE, BETA2, LR, WARMUP, WEIGHT_DECAY, Rule, Scale


@dataclass
class StepLaw(Rule):
    """Li et al. 2025, "Predictable Scale: Part I, Step Law" (arXiv 2503.04715), its two formulas.

    lr = 1.79 N^-0.713 D^0.307 and a batch of 0.58 D^0.571 tokens. N are the parameters without embeddings, D the
    training tokens. Fitted for AdamW.
    """

    name = "steplaw"
    gives = (BATCH_SIZE, LR)

    def value(self, name: str, at: Scale) -> float:
        if name == BATCH_SIZE:
            return 0.58 * at.D**0.571 / at.context
        return 1.79 * at.params.non_embedding**-0.713 * at.D**0.307


@dataclass
class DeepSeek(Rule):
    """Bi et al. 2024, "DeepSeek LLM" (arXiv 2401.02954), equation 1 of section 3.1.

    lr = 0.3118 C^-0.1250 and a batch of 0.2920 C^0.3271 tokens. C = M D is the compute without embeddings: M are the
    training FLOPs of a token, attention over the context included and the vocabulary's readout not, D the training
    tokens. Here M is the family's formula less the readout. Fitted for AdamW with C from 1e17 to 2e19.
    """

    name = "deepseek"
    gives = (BATCH_SIZE, LR)

    def value(self, name: str, at: Scale) -> float:
        compute = at.flops_per_token * at.D
        if name == BATCH_SIZE:
            return 0.2920 * compute**0.3271 / at.context
        return 0.3118 * compute**-0.1250


@dataclass
class OlmoCore(Rule):
    """The model ladder of OLMo-core: github.com/allenai/OLMo-core, src/olmo_core/model_ladder/
    wsds_chinchilla_run_configurator.py at commit fa6c501 (June 2026).

    A batch of 2048 * 160 (N / 108e6)^(2/3) tokens, lr = 0.0047 / 2 (N / 108e6)^(-1/3), a warmup of N tokens, beta2 0.95
    from a batch of 524,288 tokens on and 0.99 below, weight decay 0.1 (there of all but the embedding). N are the
    parameters without embeddings. It follows Porian et al. 2024, "Resolving Discrepancies in Compute-Optimal
    Scaling of Language Models" (arXiv 2406.19146), whose learning rate it halves, and is meant for 20 tokens a
    parameter.
    """

    name = "olmo_core"
    gives = (BATCH_SIZE, LR, BETA2, WEIGHT_DECAY, WARMUP)

    def value(self, name: str, at: Scale) -> float:
        relative = at.params.non_embedding / 108e6
        if name == BATCH_SIZE:
            return 2048 * 160 * relative ** (2 / 3) / at.context
        if name == LR:
            return 0.0047 * relative ** (-1 / 3) / 2
        if name == BETA2:
            return 0.95 if at.batch_tokens >= 524_288 else 0.99
        return 0.1 if name == WEIGHT_DECAY else at.params.non_embedding / at.D
