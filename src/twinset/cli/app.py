"""The command line: the commands, in the order of :data:`twinset.cli.net.ORDER`. Results on stdout, progress and errors on stderr.

Exit codes: 0 released (or done), 1 refused by the policy, 2 bad input, 3 budget spent; those of :mod:`twinset.cli.net`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from twinset.cli.ask import ask
from twinset.cli.audit_dp import audit_dp
from twinset.cli.init import init
from twinset.cli.ledger import app as ledger
from twinset.cli.net import INTERRUPTED, Commands, Net, interrupted
from twinset.cli.plan import plan
from twinset.cli.split import split
from twinset.cli.sweep import sweep
from twinset.errors import OutputProblem, TwinsetError

app = typer.Typer(
    name="twinset",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A table of real patients becomes a synthetic cohort that may be shared, and the evidence that says why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(ledger)
app.command()(init)
app.command()(split)
app.command()(sweep)
app.command()(plan)
app.command()(ask)
app.command("audit-dp")(audit_dp)

Out = Annotated[Path, typer.Option("-o", "--out", help="folder to write; must not exist yet")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace the folder if it exists")]
Sets = Annotated[Optional[list[str]], typer.Option("--set", metavar="KEY=VALUE", help="override any study key, e.g. generator.leaf=10; repeatable")]  # noqa: UP045
AsJson = Annotated[bool, typer.Option("--json", help="print the result as JSON and nothing else")]
StudyFile = Annotated[Path, typer.Argument(help="the study file", metavar="STUDY")]


@app.callback(invoke_without_command=True)
def root(context: typer.Context, version: Annotated[bool, typer.Option("--version", help="print the version and exit")] = False) -> None:
    """A table of real patients becomes a synthetic cohort that may be shared, and the evidence that says why."""
    context.obj = run
    if version:
        from twinset import __version__

        print(__version__)
        raise typer.Exit


@app.command()
def release(
    study: StudyFile,
    out: Out,
    generator: Annotated[Optional[str], typer.Option("--generator", "-g", help="instead of the study's")] = None,  # noqa: UP045
    sets: Sets = None,
    seed: Annotated[Optional[int], typer.Option(help="instead of the study's")] = None,  # noqa: UP045
    n: Annotated[Optional[int], typer.Option("--n", help="rows of each copy", min=1)] = None,  # noqa: UP045
    accept: Annotated[
        str, typer.Option("--accept-inconclusive", metavar="REASON", help="release what is not settled, for this reason, which is printed with it")
    ] = "",
    spend_anyway: Annotated[bool, typer.Option("--spend-anyway", help="a private run: spend even where it is foretold to be of no use")] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make the synthetic cohort of a study, audit it, and release it or refuse with reasons."""
    from twinset.study import load

    _free(out, overwrite)
    own = _overrides(sets, generator=generator, seed=seed, n=n)
    own += [f"policy.reason={json.dumps(accept)}"] if accept else []
    own += ["policy.output.foretold=1"] if spend_anyway else []
    loaded = load(study, overrides=own)
    from twinset.pipeline import release as make  # after what the study file can be refused for: it loads for seconds

    _make(make, loaded, out, overwrite=overwrite, as_json=as_json)


@app.command()
def audit(
    train: Annotated[Path, typer.Option(help="the rows the generator saw")],
    synthetic: Annotated[Path, typer.Option(help="the table to judge")],
    out: Out,
    holdout: Annotated[Optional[Path], typer.Option(help="patients the generator never saw")] = None,  # noqa: UP045
    study: Annotated[Optional[Path], typer.Option(help="brings schema, rules, endpoints and policy")] = None,  # noqa: UP045
    sets: Sets = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Judge a synthetic table that anyone made. Exit code 1 where the policy would refuse it."""
    _free(out, overwrite)
    from twinset.cli.progress import progress
    from twinset.examine import examine
    from twinset.io.place import new_folder
    from twinset.io.read import Options, read
    from twinset.release.folder import write_audit
    from twinset.study import load
    from twinset.table import how_read

    loaded = load(study, overrides=sets or ()) if study else None
    how = how_read(loaded) if loaded else Options()
    files = ((train, how), (holdout, how), (synthetic, replace(how, header=1)))  # a table that was made has one line of names
    frames = [None if path is None else read(path, options).frame for path, options in files]
    with progress(quiet=as_json) as say:
        result, verdict, page = examine(frames[0], frames[1], frames[2], study=loaded, progress=say)
    for f in result.findings:
        if f.name == "audit.columns":
            _say(f"note: {f.missing}")
    with new_folder(out, overwrite=overwrite) as temporary:
        write_audit(result, verdict, page, temporary / "custodian")
    _finish(page, verdict.to_dict(), released=verdict.released, out=out, as_json=as_json)


@app.command()
def compare(
    study: StudyFile,
    out: Out,
    generator: Annotated[Optional[list[str]], typer.Option("--generator", "-g", help="repeatable; default: trees, avatars, independent")] = None,  # noqa: UP045
    sets: Sets = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Several generators side by side on one page. Nothing is released: choosing by looking is a look, and stays inside."""
    _free(out, overwrite)
    from twinset.cli.progress import progress
    from twinset.io.place import new_folder
    from twinset.pipeline import release as make
    from twinset.release.folder import told, write_compare
    from twinset.study import load

    names = generator or ["trees", "avatars", "independent"]
    studies = [load(study, overrides=[*(sets or ()), f"generator={{name={json.dumps(name)}}}"]) for name in names]
    for one in studies:
        one.check()
    made = []
    with progress(quiet=as_json) as say:
        for i, (name, one) in enumerate(zip(names, studies, strict=True)):
            at = f"{i} of {len(names)} done, {name}"
            made.append(make(one, progress=lambda text, at=at: say(f"{at}: {text}"), command="compare", workers=os.cpu_count() or 1))  # type: ignore[misc]
    with new_folder(out, overwrite=overwrite) as temporary:
        write_compare(made, temporary / "custodian")
    if as_json:
        seen = [told(m) if m.page.certificate else m.verdict.to_dict() for m in made]
        print(json.dumps([{"generator": m.page.generator, **s} for m, s in zip(made, seen, strict=True)], indent=2, ensure_ascii=False))
    else:
        print(f"wrote {out}/custodian/compare.html: {', '.join(f'{m.page.generator} {_word(m)}' for m in made)}")


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="a folder that `release` or `audit` wrote")]) -> None:
    """Write a folder's report again from its findings, with this version's words and charts."""
    from twinset.io.place import new_file
    from twinset.release.page_file import read_page
    from twinset.report.page import render

    page = read_page(folder / "custodian" / "page.json")
    with new_file(folder / "custodian" / "report.html", overwrite=True) as temporary:
        temporary.write_text(render(page), encoding="utf-8", newline="\n")
    print(f"wrote {folder}/custodian/report.html")


@app.command()
def plugins(as_json: AsJson = False) -> None:
    """List what is installed: generators, metrics, attacks, endpoints."""
    from twinset.api import plugins as listed

    found = {kind: list(names) for kind, names in listed().items()}
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for kind, names in found.items():
        print(f"{kind}: {', '.join(names)}")


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="folder to write; must not exist yet")] = Path("demo"),
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Release a synthetic twin of ACTG 175, a trial of 2,139 patients that ships with lifelines."""
    _free(folder, overwrite)
    from twinset.demo import write_demo
    from twinset.pipeline import release as make
    from twinset.study import load

    study = write_demo(folder, overwrite=overwrite)
    left = f"table and study files are in {folder}, nothing else written"
    _make(make, load(study), folder / "twin", overwrite=overwrite, as_json=as_json, left=left)


def run(arguments: Sequence[str]) -> int:
    """One command in this process, as a person would run it; gives its exit code. Our own errors become a message, others and an interruption are raised."""
    try:
        code = int(app(list(arguments), standalone_mode=False) or 0)
    except TwinsetError as error:
        return _told(error)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return code


def main() -> None:
    """Run the command line; our own errors become a message, a hint and an exit code, and any other ends without its message."""
    with Net():
        try:
            app()
        except TwinsetError as error:
            raise SystemExit(_told(error)) from None
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else "input or output failed"
            problem = OutputProblem(reason.lower(), hint="check the disk, the path and your permissions; nothing was left half-written")
            raise SystemExit(_told(problem)) from None


def _make(make: Any, study: Any, out: Path, *, overwrite: bool, as_json: bool, left: str = "") -> None:
    """``left``: what an interruption leaves, where that is not for the study to say."""
    from twinset.cli.progress import progress
    from twinset.refitting.kept import left as written
    from twinset.release.folder import told

    promised = study.privacy is not None
    try:
        with progress(quiet=as_json, promised=promised) as say:
            made = make(study, progress=say, tell=_say, workers=os.cpu_count() or 1)
            say("writing")
            made.save(out, overwrite=overwrite)
    except KeyboardInterrupt:
        left = left or ("nothing written" if promised else written(study))
        interrupted(f"{left}; what the ledger has reserved for this run stays reserved" if promised else left)
    _finish(made.page, told(made) if made.page.certificate else made.verdict.to_dict(), released=made.verdict.released, out=out, as_json=as_json)


def _finish(page: Any, verdict: dict[str, Any], *, released: bool, out: Path, as_json: bool) -> None:
    try:
        if as_json:
            print(json.dumps({**verdict, "folder": str(out)}, indent=2, ensure_ascii=False))
        else:
            from twinset.cli.show import show_result

            show_result(page, out)
    except KeyboardInterrupt:
        interrupted(f"{out} is written")
    if not released:
        raise typer.Exit(1)


def _word(made: Any) -> str:
    """The verdict, or no more than what came of it where it was made of patients' rows under a promise."""
    return str(made.verdict.verdict) if made.seen else "released" if made.verdict.released else "not released"


def _overrides(sets: list[str] | None, *, generator: str | None, seed: int | None, n: int | None) -> list[str]:
    """``--generator`` replaces the study's generator and its settings; ``--set`` comes after it."""
    own = []
    if generator is not None:
        own.append(f"generator={{name={json.dumps(generator)}}}")
    if seed is not None:
        own.append(f"seed={seed}")
    if n is not None:
        own.append(f"release.n={n}")
    return [*own, *(sets or ())]


def _free(path: Path, overwrite: bool) -> None:
    """Say no before the work, not after it."""
    if path.exists() and not overwrite:
        raise OutputProblem("it exists already", where=str(path), hint="choose another name, or add --overwrite")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _told(error: TwinsetError) -> int:
    from twinset.cli.show import show_error

    show_error(error)
    return error.exit_code


if __name__ == "__main__":
    main()
