"""`sdm import` and `sdm take-on`: files from the command line, with a progress bar; errors say where and what to do."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import Any

import click

from sdm.intake import registry
from sdm.intake.service import imports, take_on
from sdm.intake.service.mappings import body_of
from sdm.intake.service.sources import from_path
from sdm.kernel import audit

FAULTS_SHOWN = 20
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("import")
@click.argument("sheet", required=False)
@click.argument("file", type=FILE, required=False)
@click.option("--dry-run", is_flag=True, help="Check only; change nothing.")
@click.option(
    "--errors", type=click.Path(dir_okay=False, path_type=Path), help="Write the rows with their errors here."
)
@click.option("--template", type=click.Path(dir_okay=False, path_type=Path), help="Write an empty workbook here.")
@click.pass_obj
def import_sheet(
    tools: Any, sheet: str | None, file: Path | None, dry_run: bool, errors: Path | None, template: Path | None
) -> None:
    """Import FILE (Excel or CSV) into SHEET; without arguments list the sheets. The same file changes nothing twice."""
    with tools.acting("import"):
        if sheet is None:
            for known in registry.registered():
                click.echo(f"{known.code:<24}{known.label}")
            return
        if template is not None:
            with template.open("wb") as stream:
                imports.write_template(registry.sheet(sheet), stream)
            return
        if file is None:
            raise click.UsageError("give a file to import, or --template to get an empty one")
        sys.exit(_import(tools, sheet, file, dry_run, errors))


def _import(tools: Any, sheet: str, file: Path, dry_run: bool, errors: Path | None) -> int:
    run_id = imports.check(sheet, file.name, file.read_bytes())
    run = imports.run_of(run_id)
    if run.state == "faulty":
        for line in imports.first_faults(run, FAULTS_SHOWN):
            click.echo(line, err=True)
        if errors is not None:
            with errors.open("wb") as stream:
                imports.write_errors(run, stream)
            click.echo(f"the rows with their errors are in {errors}", err=True)
        click.echo(f"{run.faults} errors in {run.rows} rows; nothing was changed", err=True)
        return 2
    if dry_run or run.state == "done":
        click.echo(
            f"{run.rows} rows {'are well' if run.state != 'done' else 'were imported before; nothing was changed'}"
        )
        return 0
    progress = imports.progress_of(run)
    with tools.progress_bar() as report:
        while progress.state != "done":
            progress = imports.apply_next(run_id)
            report("rows", progress.done, progress.total)
    click.echo(f"created {progress.created}, changed {progress.changed}, unchanged {progress.unchanged}")
    return 0


@click.command("take-on")
@click.argument("files", nargs=-1, type=FILE)
@click.option("--mapping", required=False, help="A TOML file, or the name of a delivered or saved mapping.")
@click.option("--dry-run", is_flag=True, help="Read and check only; change nothing.")
@click.option("--mappings", "list_mappings", is_flag=True, help="List the delivered mappings.")
@click.pass_obj
def take_on_files(tools: Any, files: tuple[Path, ...], mapping: str | None, dry_run: bool, list_mappings: bool) -> None:
    """Take on dated sales from FILES (CSV, gzipped CSV or Excel) as real invoices. Can be broken off and repeated."""
    if list_mappings:
        for entry in sorted(resources.files("sdm.intake").joinpath("mappings").iterdir(), key=lambda e: e.name):
            click.echo(entry.name.removesuffix(".toml"))
        return
    if not files or not mapping:
        raise click.UsageError("give one or more files and --mapping")
    with tools.acting("take-on"), tools.progress_bar() as report:
        body = Path(mapping).read_text("utf-8") if Path(mapping).is_file() else body_of(mapping)
        outcome = take_on.run(body, [from_path(file) for file in files], dry_run=dry_run, report=report)
        while audit.seal():
            continue
    sys.exit(_tell(outcome, dry_run))


def _tell(outcome: take_on.Outcome, dry_run: bool) -> int:
    report = outcome.report
    for what, count in report.get("create", {}).items():
        click.echo(f"to be made: {count} {what}")
    click.echo(f"{'month':<9}{'lines':>10}{'charged':>20}{'credited':>18}{'returns':>9}{'adjusted':>9}")
    for month in report.get("months", ()):
        click.echo(
            f"{month['month']:<9}{month['lines']:>10}{month['charged']:>20}{month['credited']:>18}"
            f"{month['return_lines']:>9}{month['adjustments']:>9}"
        )
    for fault in report.get("faults", ()):
        text = take_on.fault_text(fault["code"])
        click.echo(f"{fault['count']} lines: {text} ({', '.join(fault['places'][:FAULTS_SHOWN])})", err=True)
    if outcome.state == "faulty":
        click.echo("nothing was posted", err=True)
        return 2
    if dry_run:
        click.echo("checked; nothing was posted")
    else:
        click.echo(f"{report.get('lines', 0)} lines in {outcome.batches} batches: {outcome.state}")
    return 0


COMMANDS = (import_sheet, take_on_files)
