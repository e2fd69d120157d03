"""``armap``: the four stages, and what is done with their runs."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from armap.cli.stages import run_stage
from armap.errors import ArmapError, ConfigError, DataError

__all__ = ["app", "entry"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Make an LLM agent succeed more often without fine-tuning it: learn a reward model
from what the agent did, then search with it.

[bold]armap demo[/] shows all of it in a few minutes, on a laptop.

The four stages, each one YAML file:

[green]armap collect[/]    --config configs/game24/collect.yaml      the agent explores
[green]armap synthesize[/] --config configs/game24/synthesize.yaml   pairs out of what it did
[green]armap train[/]      --config configs/game24/train.yaml        a reward model out of pairs
[green]armap plan[/]       --config configs/game24/best_of_n.yaml    search with it, and grade

Every command continues where it was stopped.""",
)
importing = typer.Typer(no_args_is_help=True, help="Read other programs' logs as trajectories.")
app.add_typer(importing, name="import")
data = typer.Typer(no_args_is_help=True, help="Put an environment's own data files in place.")
app.add_typer(data, name="data")

Config = Annotated[Path, typer.Option("--config", "-c", help="The YAML file of the run.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="a.b=value", help="Change a setting; may be repeated."),
]
Out = Annotated[str | None, typer.Option("--out", "-o", help="Run folder, instead of the file's.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Delete what is in the run folder and start anew.")
]


_INTERRUPTED = 130  # what typer makes of Ctrl-C


def entry() -> None:
    """Run the command line; one line and an exit code for everything that goes wrong."""
    logging.basicConfig(level=logging.WARNING, format="warning: %(message)s")  # noqa: TID251
    for noisy in ("httpx", "accelerate"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    # A batch system asks a job to end with SIGTERM: it ends as with Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        app()
    except (ConfigError, DataError) as error:
        _fail(error, code=2)
    except ArmapError as error:
        _fail(error, code=1)
    except OSError as error:
        sys.stderr.write(f"error: {error.filename or 'system'}: {error.strerror or error}\n")
        sys.exit(1)
    except SystemExit as stop:
        if stop.code == _INTERRUPTED:
            again = shlex.join(["armap", *(word for word in sys.argv[1:] if word != "--overwrite")])
            sys.stderr.write(f"stopped; what is finished is saved, to go on: {again}\n")
            sys.stderr.flush()
            # All is closed. What is left are threads inside a step of a slow environment, and
            # the end of large libraries: nobody who pressed Ctrl-C wants to wait for those.
            os._exit(_INTERRUPTED)
        raise


def _fail(error: ArmapError, *, code: int) -> None:
    sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
    sys.exit(code)


@app.command()
def collect(
    config: Config, settings: Settings = None, out: Out = None, overwrite: Overwrite = False
) -> None:
    """Let an LLM agent explore an environment and keep the trajectories.

    Example: armap collect --config configs/game24/collect.yaml --set samples=8 --out runs/mine
    """
    run_stage("collect", config, settings, out, overwrite=overwrite)


@app.command()
def synthesize(
    config: Config, settings: Settings = None, out: Out = None, overwrite: Overwrite = False
) -> None:
    """Turn trajectories into preference pairs, without human labels.

    Example: armap synthesize --config configs/game24/synthesize.yaml --set synthesis.pairs=2000
    """
    run_stage("synthesize", config, settings, out, overwrite=overwrite)


@app.command()
def train(
    config: Config, settings: Settings = None, out: Out = None, overwrite: Overwrite = False
) -> None:
    """Train a reward model on pairs (or, with train.kind: policy, the embedded policy).

    Example: armap train --config configs/game24/train.yaml --set train.epochs=2
    """
    run_stage("train", config, settings, out, overwrite=overwrite)


@app.command()
def plan(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The YAML file of the run.")
    ] = None,
    settings: Settings = None,
    out: Out = None,
    overwrite: Overwrite = False,
    replay: Annotated[
        Path | None,
        typer.Option(help="Make this run's plans again out of its journal, without any call."),
    ] = None,
) -> None:
    """Search for good trajectories with a planner, and grade the answers afterwards.

    Example: armap plan --config configs/game24/best_of_n.yaml --set planner.n=20 --out runs/bon20

    A finished run can be checked: armap plan --replay runs/bon20
    """
    if (config is None) == (replay is None):
        raise ConfigError("armap plan wants --config FILE, or --replay RUN instead of it")
    if replay is not None:
        from armap.cli.calls import replay_run

        replay_run(replay, settings or [], out, overwrite=overwrite)
    elif config is not None:
        run_stage("plan", config, settings, out, overwrite=overwrite)


@app.command()
def calls(
    run: Annotated[Path, typer.Argument(help="Run folder of armap collect or armap plan.")],
    failed: Annotated[bool, typer.Option("--failed", help="List the calls that failed.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Every call with its whole prompt, as JSON Lines.")
    ] = False,
) -> None:
    """What a run's calls to its language model cost, and how they failed.

    Example: armap calls runs/game24/best_of_n
    """
    from armap.cli.calls import show_calls

    show_calls(run, failed=failed, as_json=as_json)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of armap plan, train, collect.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the report.")] = Path(
        "runs/report"
    ),
) -> None:
    """Put runs side by side: a table here, report.html and summary.json in a folder.

    Example: armap report runs/game24/greedy runs/game24/best_of_n --out runs/report
    """
    from armap.cli.progress import console
    from armap.cli.tables import result_table
    from armap.report.build import write_report

    data = write_report(runs, out)
    console.print(result_table(data.rows))
    for run in data.calls:
        if run.failures.any:
            name = f"{run.name} " if len(data.calls) > 1 else ""
            console.print(f"  {name}{run.failures.line}", markup=False, soft_wrap=True)
    console.print(f"  [bold]{out / 'report.html'}[/]")


@app.command()
def rescore(
    run: Annotated[Path, typer.Argument(help="Run folder of armap plan; it is only read.")],
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            "-O",
            metavar="EXPRESSION",
            help="What the answers are to maximise; may be repeated.",
        ),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MEASURE[=FIRST:LAST:STEP]",
            help="Take a growing weight of a measure off the objective; without numbers, at the "
            "weights where answers change. May be repeated.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Leave the new answers in a run folder of their own."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a row on standard output.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Choose other answers among a run's candidates, without calling any model.

    An objective is an expression over the calibrated [bold]reward[/] (0 to 1) and what a
    trajectory itself shows: [bold]steps[/], [bold]calls[/], [bold]tokens[/], [bold]dollars[/],
    [bold]words[/] and the environment's own measures. It may use + - * / ( ) and abs, clip, log,
    max, min. Same as `objective:` in the file of a planning run.

    Example: armap rescore runs/bon10 --objective "reward - 0.02 * steps" --out runs/bon10-short

    Example: armap rescore runs/bon10 --sweep steps=0:0.2:0.01
    """
    from armap.cli.rescoring import rescore_run

    rescore_run(run, objective or [], sweep or [], out=out, as_json=as_json, overwrite=overwrite)


@app.command()
def score(
    reward: Annotated[Path, typer.Option("--reward", "-r", help="Folder of a reward model.")],
    trajectories: Annotated[
        Path, typer.Argument(help="Run folder, or a JSON Lines file of trajectories.")
    ],
) -> None:
    """Score trajectories with a reward model; one JSON object a line on standard output.

    Example: armap score --reward runs/game24/reward runs/game24/collect > scores.jsonl
    """
    from armap.cli.scoring import score_lines

    for line in score_lines(reward, trajectories):
        typer.echo(line)


@app.command()
def tasks(
    env: Annotated[str, typer.Argument(help="Environment kind, e.g. game24.")],
    split: Annotated[Literal["train", "dev", "test"], typer.Option(help="Which split.")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON Lines, for tasks.file.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="key=value", help="A setting of the environment."),
    ] = None,
) -> None:
    """List the tasks of an environment.

    Example: armap tasks game24 --split test --limit 3

    Example: armap tasks webshop --set data=data/webshop --set goals=synthetic --limit 3
    """
    from armap.config import load_env
    from armap.envs import TaskSelection, find_tasks

    config = load_env(env, settings or ())
    for task in find_tasks(config, TaskSelection(split=split, limit=limit)):
        asked = " ".join(task.instruction.split())
        typer.echo(task.model_dump_json() if as_json else f"{task.name}\t{asked}")


@importing.command("tot-log")
def import_tot_log(
    file: Annotated[Path, typer.Argument(help="A Tree-of-Thoughts log, or JSON Lines.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder for the trajectories.")],
    overwrite: Overwrite = False,
) -> None:
    """Read Game-of-24 outputs of other models: candidates for armap plan.

    Takes a JSON list of {idx, ys, infos} (Tree of Thoughts) or JSON Lines of
    {index, puzzle, outputs}. Labels in the file are not read.

    Example: armap import tot-log gpt4.jsonl --out runs/gpt4
    """
    from armap.cli.progress import console
    from armap.importers.tot_log import import_log

    count = import_log(file, out, overwrite=overwrite)
    console.print(f"  {count} trajectories in [bold]{out}[/]; select among them with")
    console.print(
        "  armap plan -c configs/game24/stored.yaml "
        f"--set planner.candidates={out} --out {out}-best"
    )


@data.command("webshop")
def data_webshop(
    source: Annotated[
        str, typer.Option(help="Folder or web address of the official files, or of one of them.")
    ],
    to: Annotated[Path, typer.Option(help="Folder for them; give it as env.data.")] = Path(
        "data/webshop"
    ),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that differ from the source's.")
    ] = False,
) -> None:
    """Put WebShop's official files in place, check them, and say what they hold.

    items_shuffle*.json, items_ins_v2*.json and items_human_ins.json, plain or gzip. A download that
    broke off goes on. The full catalogue is indexed, once, which takes some minutes.

    Example: armap data webshop --source ~/Downloads --to data/webshop
    """
    from armap.cli.data import place_webshop

    place_webshop(source, to, overwrite=overwrite)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything.")] = Path(
        "runs/demo"
    ),
    limit: Annotated[int, typer.Option(min=2, max=100, help="Test puzzles.")] = 100,
    overwrite: Overwrite = False,
) -> None:
    """The whole pipeline on Game of 24 with the embedded model: minutes, no GPU, no network.

    Example: armap demo --out runs/demo
    """
    from armap.cli.demo import run_demo

    run_demo(out, limit=limit, overwrite=overwrite)


if __name__ == "__main__":
    entry()
