"""A search for better settings before the training, by Ray Tune: Optuna proposes, ASHA ends what is bad.

What is true is the log of trials in the attempt's folder, not Ray's own: after a driver has died, the next
one reads it, tells Optuna and ASHA what is known, goes on with the trials that were running, from their
checkpoints, and repeats none that had ended.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from dataclasses import dataclass
from typing import Any

from pipelines.config import Training, Tuning
from pipelines.environment import set_environment, variable
from pipelines.errors import EvergreenError, TrainingFailed
from pipelines.files import write_whole
from pipelines.progress import log
from pipelines.records import Trial
from pipelines.training.checkpoints import remove_checkpoints
from pipelines.training.distributed import alive_nodes, connect_ray, fitting
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob
from pipelines.training.search_space import distributions, own_settings, search_space, with_settings
from pipelines.training.trials import TrialLog, best_trial, trial_job

SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # CSV, JSON and TensorBoard files that nobody reads
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the tuning; Tune would go on with what it has
}


@dataclass(frozen=True)
class Shares:
    """How many trials run at a time, and what each of them holds."""

    concurrent: int
    cpus: int
    gpus: float


def tune(job: FitJob, tuning: Tuning) -> FitJob:
    """The job with the best settings found, in a place of its own; asked again, the same without a search.

    Raises EvergreenError where the cluster does not have what is asked for, TrainingFailed where no trial
    gave a model.
    """
    folder = AttemptFolder(job.root)
    if not folder.tuned.exists():
        trials = TrialLog(folder.trials)
        try:
            search(job, tuning, folder, trials)
        finally:
            leave_ray(job.training)
        finish(job, trials)
    found = json.loads(folder.tuned.read_text())
    place = {"name": f"{job.name}-tuned", "place": folder.candidates / "tuned", "stage": "tuned"}
    return with_settings(job, found["settings"]).model_copy(update=place)


def tuning_details(folder: AttemptFolder) -> dict[str, float]:
    """Numbers of a tuning that has ended, for the trained model's record."""
    found = json.loads(folder.tuned.read_text())
    return {name: float(found[name]) for name in ("trials", "best_trial", "best_loss", "tuning_seconds")}


def search(job: FitJob, tuning: Tuning, folder: AttemptFolder, trials: TrialLog) -> None:
    """Run trials until the budget is spent; those that have ended before count."""
    seconds = tuning.time.total_seconds() - trials.elapsed if tuning.time else None
    if len(trials.ended()) >= tuning.trials or (seconds is not None and seconds <= 0):
        return
    set_environment(SETTINGS)
    # It warns of each trial that it finds no file that a logger would have written.
    logging.getLogger("ray.tune.analysis.experiment_analysis").setLevel(logging.ERROR)
    connect_ray()
    shares = plan_trials(job.training, job.description.network, tuning, alive_nodes())
    log.info(
        "Tuning %s: up to %d trials%s, %d at a time",
        job.description.kind,
        tuning.trials,
        f" in {tuning.time}" if tuning.time else "",
        shares.concurrent,
    )
    build_tuner(job, tuning, folder, trials, shares, seconds).fit()


def build_tuner(
    job: FitJob,
    tuning: Tuning,
    folder: AttemptFolder,
    trials: TrialLog,
    shares: Shares,
    seconds: float | None,
) -> Any:
    """Ray's Tuner over what is left of the budget."""
    from ray import tune as ray_tune

    from pipelines.training.trial_hooks import NumberedSearch, TrialWatch, halving, run_trial

    space, epochs = search_space(job.description.kind, tuning), int(job.training.epochs)
    ended, waiting = trials.ended(), trials.of_status("running")
    if not trials.trials:  # the definition's own settings are the first trial
        waiting = [Trial(number=0, settings=own_settings(job, space))]
    search = NumberedSearch(distributions(space), ended, waiting, tuning.trials, job.training.seed)
    trainable = ray_tune.with_parameters(run_trial, job=job.model_dump(mode="json"), gpus=shares.gpus)
    return ray_tune.Tuner(
        ray_tune.with_resources(trainable, {"cpu": shares.cpus, "gpu": shares.gpus}),
        tune_config=ray_tune.TuneConfig(
            search_alg=search,
            scheduler=halving(epochs, ended),
            num_samples=tuning.trials - len(ended),
            max_concurrent_trials=shares.concurrent,
            time_budget_s=seconds,
            reuse_actors=True,  # a process that has torch loaded takes the next trial
        ),
        run_config=ray_tune.RunConfig(
            name="tuning",
            storage_path=str(job.root / "ray"),
            callbacks=[TrialWatch(trials, job, Teller(tuning, folder, trials))],
            failure_config=ray_tune.FailureConfig(max_failures=job.training.failures),
            verbose=0,
        ),
    )


@dataclass(frozen=True)
class Teller:
    """Tells each trial that ends as an epoch of the model `tuning`."""

    tuning: Tuning
    folder: AttemptFolder
    trials: TrialLog

    def __call__(self, trial: Trial) -> None:
        best, ended = best_trial(list(self.trials.trials.values())), len(self.trials.ended())
        if best is None or best.best is None:
            return
        loss = best.best if trial.best is None else trial.best  # one that failed counts, and has none
        left = self.trials.elapsed / ended * (self.tuning.trials - ended)
        if self.tuning.time:
            left = min(left, max(0.0, self.tuning.time.total_seconds() - self.trials.elapsed))
        row = {
            "model": "tuning",
            "epoch": ended,
            "epochs": self.tuning.trials,
            "loss": round(loss, 6),
            "validation": round(best.best, 6),
            "metric": "loss",
            "score": round(best.best, 6),
            "seconds": trial.seconds,
            "samples_per_second": 0,
            "left": round(left, 1),
            "time": time.time(),
            "device": {},
        }
        with self.folder.progress.open("a") as file:
            file.write(json.dumps(row) + "\n")


def plan_trials(training: Training, network: bool, tuning: Tuning, nodes: list[dict[str, float]]) -> Shares:
    """As many at a time as there are CPUs (or GPUs, where networks use them), the rest shared among them.

    `nodes` are the resources of each node. Raises EvergreenError where they can never give what is asked.
    """
    cpus = sum(int(node.get("CPU", 0)) for node in nodes)
    gpus = sum(node.get("GPU", 0.0) for node in nodes)
    each = min(1.0, gpus) if training.gpus == "auto" else float(training.gpus)
    share = each if network else 0.0
    most = sum(fitting(node, share) for node in nodes)
    asked = max(1, most) if tuning.concurrent == "auto" else tuning.concurrent
    if asked > most:
        raise EvergreenError(
            f"tuning.concurrent: {asked} trials at a time with {share:g} GPUs each were asked for,"
            f" but the cluster has {cpus} CPUs and {gpus:g} GPUs in all (nodes: {len(nodes)}).",
            f"Ask for at most {most}." if most else "Ask for less with training.gpus.",
        )
    concurrent = min(asked, tuning.trials)
    largest = max(int(node.get("CPU", 0)) for node in nodes)
    return Shares(concurrent, max(1, min(cpus // concurrent, largest)), share)


def leave_ray(training: Training) -> None:
    """End a Ray of our own where the training itself needs none: its processes hold memory."""
    import ray

    if ray.is_initialized() and not variable("RAY_ADDRESS") and training.workers in ("auto", 0):
        ray.shutdown()


def finish(job: FitJob, trials: TrialLog) -> None:
    """Keep what was found, and nothing of the trials but their log.

    Where there is no model the log is put aside: what was wrong may pass, and the next try searches again.
    """
    folder = AttemptFolder(job.root)
    for trial in trials.of_status("running"):
        trials.end(trial.number, "stopped early", "the time was over")
    best = best_trial(trials.ended())
    if best is None:
        why = next(
            (trial.reason for trial in trials.ended() if trial.reason), "the time was over before an epoch"
        )
        if folder.trials.exists():
            folder.trials.replace(folder.failed_trials)
        remove_places(job, trials)
        raise TrainingFailed(
            f"tuning: none of {len(trials.trials)} trials gave a model: {why}.",
            "Give it more time, or narrow tuning.space.",
        )
    log.info("Tuning: trial %d of %d is the best, loss %.4g", best.number, len(trials.trials), best.best)
    found = {
        "settings": best.settings,
        "trials": len(trials.trials),
        "best_trial": best.number,
        "best_loss": best.best,
        "tuning_seconds": round(trials.elapsed, 1),
    }
    write_whole(folder.tuned, json.dumps(found))
    remove_places(job, trials)


def remove_places(job: FitJob, trials: TrialLog) -> None:
    """Remove the trials' models, and their checkpoints wherever they are."""
    for trial in (trial_job(job, number) for number in trials.trials):
        remove_checkpoints(trial)
        shutil.rmtree(trial.place, ignore_errors=True)
    shutil.rmtree(job.root / "ray" / "tuning", ignore_errors=True)
