"""The command line `sdm`. Errors a person can cause are shown as code and text and end with exit code 2."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import click
from flask import Flask
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sdm.app import wiring
from sdm.kernel.errors import InvalidInput, SdmError
from sdm.kernel.settings import Settings, SettingsError

DEMO_LOADER = "sdm.intake.demo"
console = Console()


class LazyCommands(click.Group):
    """Our own commands, and those of the packages, which are imported when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted({*super().list_commands(ctx), *(command.name for command in wiring.cli_groups())})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Ours first, then a package's."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        return next((command for command in wiring.cli_groups() if command.name == cmd_name), None)


@dataclasses.dataclass(frozen=True, slots=True)
class Tools:
    """What commands of packages get as the context's object: they may not import this module."""

    acting: Callable[[str], AbstractContextManager[Flask]]
    progress_bar: Callable[[], AbstractContextManager[Callable[[str, int, int], None]]]


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sdm", prog_name="sdm")
@click.pass_context
def cli(context: click.Context) -> None:
    """SDM: orders, stock, money and credit of a company that sells through branches and dealers."""
    context.obj = Tools(acting, progress_bar)


def tool_app(settings: Settings | None = None) -> Flask:
    """The application for a command: no limit on statements, quiet log."""
    from sdm.app import create_app, logs

    settings = settings or Settings.from_env()
    app = create_app(settings, role="tool")
    logs.configure(log_json=settings.log_json and not sys.stderr.isatty())
    return app


@contextmanager
def acting(name: str) -> Iterator[Flask]:
    """An application context with a named system actor, for the commands of packages."""
    from sdm.app import migrate
    from sdm.kernel.actor import system_actor, use_actor

    app = tool_app()
    migrate.require_current(app)
    with app.app_context(), use_actor(dataclasses.replace(system_actor(f"cli:{name}"), via="cli")):
        yield app


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Give `report(step, done, total)`, shown as one bar per step."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, Any] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(step, total=total)
            progress.update(tasks[step], completed=done, total=total)

        yield report


# --- running ----------------------------------------------------------------------------------------------------------


@cli.command()
@click.option("--no-scheduler", is_flag=True, help="Leave periodic work to another process.")
def serve(no_scheduler: bool) -> None:
    """Serve the web pages, with the database and the scheduler where needed."""
    from sdm.app import serve as server

    settings = Settings.from_env()
    prepare_database(settings)
    sys.exit(server.serve(settings, not no_scheduler, lambda: console.print(f"SDM runs at {address(settings)}")))


@cli.command()
def scheduler() -> None:
    """Run periodic work until stopped."""
    from sdm.app import scheduler as process

    process.main(tool_app())


@cli.command()
def demo() -> None:
    """Serve a made-up company to look around in; the data are loaded the first time."""
    from sdm.app import seeds
    from sdm.app import serve as server

    os.environ.setdefault("SDM_ENV", "demo")
    os.environ.setdefault("SDM_LOG_JSON", "0")
    settings = Settings.from_env()
    server.require_free_port(settings)
    console.print(f"Data folder: {settings.home}")
    prepare_database(settings, with_demo=True)
    loader = demo_loader()
    with acting("demo") as app:
        if loader is not None:
            with progress_bar() as report:
                loader.load(report)
        seeds.plant(app)
    sys.exit(server.serve(settings, when_ready=lambda: welcome(settings, loader)))


def demo_loader() -> Any:
    """The module that makes the demo company (`load(report)` and `logins()`), or None in a build without it."""
    if importlib.util.find_spec(DEMO_LOADER) is None:
        return None
    return importlib.import_module(DEMO_LOADER)


def welcome(settings: Settings, loader: Any) -> None:
    """Say where the demo runs and who can sign in."""
    console.print(f"\n[bold]SDM runs at {address(settings)}[/bold]  (Ctrl+C stops it)")
    for role, login, password in loader.logins() if loader is not None else ():
        console.print(f"  {role}: {login} / {password}", highlight=False)


def address(settings: Settings) -> str:
    """What to type into a browser."""
    if settings.public_url:
        return settings.public_url
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - shown, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/"


def prepare_database(settings: Settings, with_demo: bool = False) -> None:
    """Start our own server and bring tables and first data up to date; a server of others is only looked at."""
    from sdm.app import migrate, seeds
    from sdm.kernel.db import db as database

    app = tool_app(settings)
    if settings.embedded:
        migrate.upgrade(app)
        if not with_demo:
            seeds.plant(app)
    else:
        migrate.require_current(app)
    with app.app_context():
        database.engine.dispose()


# --- database ---------------------------------------------------------------------------------------------------------


@cli.group()
def db() -> None:
    """The database: migrations and the embedded server."""


@db.command()
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the tables up to date and put in what every installation starts with."""
    from sdm.app import migrate, seeds

    app = tool_app()
    migrate.upgrade(app, revision)
    if migrate.current(app) == migrate.head_revision():
        seeds.plant(app)
    click.echo(f"revision {migrate.current(app)}")


@db.command()
@click.argument("revision")
def downgrade(revision: str) -> None:
    """Take the tables back to a revision (-1: one step)."""
    from sdm.app import migrate

    app = tool_app()
    migrate.downgrade(app, revision)
    click.echo(f"revision {migrate.current(app)}")


@db.command("revision")
@click.option("-m", "--message", required=True, help="What changes, in a few words.")
def new_revision(message: str) -> None:
    """Write a migration from the difference between database and models."""
    from sdm.app import migrate

    migrate.new_revision(tool_app(), message)


@db.command()
def status() -> None:
    """Show the embedded server and the revision of the tables."""
    from sdm.app import embedded, migrate

    settings = Settings.from_env()
    if settings.embedded:
        found = embedded.status(settings)
        state = f"running, process {found.pid}" if found.running else "stopped"
        click.echo(f"embedded server: {state}{', in use' if found.in_use else ''} ({found.folder})")
    click.echo(f"revision: {migrate.current(tool_app(settings))}, newest: {migrate.head_revision()}")


@db.command()
def stop() -> None:
    """Stop the embedded server although it may be in use."""
    from sdm.app import embedded

    click.echo("stopped" if embedded.stop(Settings.from_env()) else "was not running")


# --- settings and checks ----------------------------------------------------------------------------------------------


@cli.group()
def config() -> None:
    """Settings."""


@config.command()
def show() -> None:
    """Show the settings in force, secrets hidden."""
    for name, value in Settings.from_env().masked().items():
        click.echo(f"{name} = {'' if value is None else value}")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable result.")
def doctor(as_json: bool) -> None:
    """Prove that the data are sound; exit code 1 and the first offenders when they are not."""
    from sdm.kernel import checks

    outcomes = []
    with acting("doctor"):
        for check in checks.registered():
            outcome = checks.run(check)
            outcomes.append(outcome)
            if not as_json:
                print_outcome(outcome)
    if as_json:
        click.echo(json.dumps([{**dataclasses.asdict(o), "ok": o.ok} for o in outcomes], ensure_ascii=False, indent=2))
    sys.exit(0 if all(outcome.ok for outcome in outcomes) else 1)


def print_outcome(outcome: Any) -> None:
    """One line per check, offenders below."""
    click.echo(f"{'ok    ' if outcome.ok else 'FAILED'} {outcome.code}: {outcome.name}")
    for line in [outcome.error] if outcome.error else outcome.offenders:
        click.echo(f"         {line}")


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> None:
    """Measure speed against the floor (source tree only)."""
    script = Path(__file__).resolve().parents[2] / "bench" / "run.py"
    if not script.exists():
        raise click.ClickException("the benchmark is part of the source tree; run it there with `make bench`")
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")


# --- entry ------------------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> None:
    """Entry point: exit code 0 well, 1 a broken promise or a failed command, 2 something the person can correct."""
    try:
        result = cli.main(args=arguments, prog_name="sdm", standalone_mode=False)
    except SettingsError as problem:
        sys.exit(complain(problem.code, str(problem)))
    except SdmError as problem:
        sys.exit(complain(problem.code, describe_error(problem)))
    except click.exceptions.Abort:
        sys.exit(complain("aborted", "stopped by Ctrl+C"))
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    sys.exit(result if isinstance(result, int) else 0)


def describe_error(problem: SdmError) -> str:
    """Text of an error with its faulty fields, one a line."""
    faults = problem.errors if isinstance(problem, InvalidInput) else []
    return "\n".join([problem.text, *(f"  {fault.field}: {fault.text}" for fault in faults)])


def complain(code: str, message: str) -> int:
    """Write an error for a person; the exit code 2."""
    click.echo(f"sdm: {code}: {message}", err=True)
    return 2


if __name__ == "__main__":
    main()
