"""The 28 tests of the ML Test Score: what answers each, and what to do where nothing does.

Breck, Cai, Nielsen, Salib and Sculley, "The ML Test Score: A Rubric for ML Production Readiness and Technical
Debt Reduction", IEEE Big Data 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.audit import data, infrastructure, model, monitoring
from pipelines.audit.answers import Found
from pipelines.audit.evidence import Evidence
from pipelines.config import Reviewed


@dataclass(frozen=True)
class Test:
    """A test of the paper: what answers it, and what to do where nothing does.

    In `to_do`, {pipeline} and {version}, the champion's, stand for what they are called.
    """

    key: Reviewed
    name: str
    answer: Callable[[Evidence], Found]
    to_do: str


SECTIONS: dict[str, tuple[Test, ...]] = {
    "data": (
        Test(
            "schema",
            "feature expectations are captured in a schema",
            data.schema,
            "Write validation.checks, then `evergreen ingest {pipeline}`.",
        ),
        Test(
            "benefit",
            "all features are beneficial",
            data.benefit,
            "`evergreen train {pipeline}`: each evaluation measures the importance of every feature, of many"
            " features of the 60 that tell the most alone.",
        ),
        Test(
            "cost",
            "no feature's cost is too much",
            data.by_hand_alone,
            "Look at what each feature costs to get, and declare audit.reviews.cost.",
        ),
        Test(
            "policy",
            "features adhere to meta-level requirements",
            data.policy,
            "`evergreen train {pipeline}`: each evaluation looks for a feature that gives the target away.",
        ),
        Test(
            "privacy",
            "the data pipeline has appropriate privacy controls",
            data.by_hand_alone,
            "Look at who may see which rows, and declare audit.reviews.privacy.",
        ),
        Test(
            "additions",
            "new features can be added quickly",
            data.additions,
            "Add a column to the definition and train; or declare audit.reviews.additions.",
        ),
        Test(
            "feature_code",
            "all input feature code is tested",
            data.feature_code,
            "`evergreen train {pipeline}`: each evaluation asks the model about gaps and extremes.",
        ),
    ),
    "model": (
        Test(
            "specification",
            "model specs are reviewed and submitted",
            model.specification,
            "Set gates.approval, so that a person sees each model; or declare audit.reviews.specification.",
        ),
        Test(
            "correlation",
            "offline and online metrics correlate",
            model.correlation,
            "Hand in labels with `evergreen labels {pipeline}`, then `evergreen monitor {pipeline}`.",
        ),
        Test(
            "tuning",
            "all hyperparameters have been tuned",
            model.tuning,
            "Write `tuning: {{trials: 20}}` or `model: auto`, and train; or declare audit.reviews.tuning.",
        ),
        Test(
            "staleness",
            "the impact of model staleness is known",
            model.staleness,
            "Hand in labels of two windows that one version has scored.",
        ),
        Test(
            "simpler",
            "a simpler model is not better",
            model.simpler,
            "`evergreen train {pipeline}`: each evaluation compares with a linear model.",
        ),
        Test(
            "slices",
            "model quality is sufficient on important data slices",
            model.slices,
            "Name columns or conditions under evaluation.slices, then `evergreen train {pipeline}`.",
        ),
        Test(
            "inclusion",
            "the model is tested for considerations of inclusion",
            model.inclusion,
            "Name columns under evaluation.groups and train; or declare audit.reviews.inclusion.",
        ),
    ),
    "infrastructure": (
        Test(
            "reproduction",
            "training is reproducible",
            infrastructure.reproduction,
            "`evergreen reproduce {pipeline} --version {version}`.",
        ),
        Test(
            "unit",
            "model specs are unit tested",
            infrastructure.unit,
            "`evergreen train {pipeline}`: the model is loaded and asked in a clean process.",
        ),
        Test(
            "integration",
            "the ML pipeline is integration tested",
            infrastructure.integration,
            "Go the whole way once: train, score, labels, monitor.",
        ),
        Test(
            "gates",
            "model quality is validated before serving",
            infrastructure.gates,
            "Let `evergreen train {pipeline}` choose the champion by its gates.",
        ),
        Test(
            "debugging",
            "the model is debuggable",
            infrastructure.debugging,
            "`evergreen score {pipeline}` logs predictions with ids; `evergreen train` explains them.",
        ),
        Test(
            "canary",
            "models are canaried before serving",
            infrastructure.canary,
            "Evergreen does not do this yet. Where what stands before it does, declare audit.reviews.canary.",
        ),
        Test(
            "rollback",
            "serving models can be rolled back",
            infrastructure.rollback,
            "Practise it: `evergreen rollback {pipeline}`, and once more to come back.",
        ),
    ),
    "monitoring": (
        Test(
            "dependencies",
            "dependency changes result in notification",
            monitoring.dependencies,
            "Take in a second batch of some 200 rows: `evergreen ingest {pipeline}`.",
        ),
        Test(
            "invariants",
            "data invariants hold for inputs",
            monitoring.invariants,
            "Write validation.checks, score rows, then `evergreen monitor {pipeline}`.",
        ),
        Test(
            "skew",
            "training and serving are not skewed",
            monitoring.skew,
            "Score rows with the champion, then `evergreen monitor {pipeline}`.",
        ),
        Test(
            "age",
            "models are not too stale",
            monitoring.age,
            "Give retraining.when or retraining.schedule, score rows, then `evergreen monitor {pipeline}`.",
        ),
        Test(
            "stability",
            "models are numerically stable",
            monitoring.stability,
            "`evergreen train {pipeline}`: each evaluation asks the model about noise, gaps and extremes.",
        ),
        Test(
            "performance",
            "computing performance has not regressed",
            monitoring.performance,
            "Train a second version; speed and memory of both are compared.",
        ),
        Test(
            "quality",
            "prediction quality has not regressed on served data",
            monitoring.quality,
            "Hand in labels with `evergreen labels {pipeline}`, then `evergreen monitor {pipeline}`.",
        ),
    ),
}
