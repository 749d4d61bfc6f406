"""Show the whole thing: sample processes, people to log in as, web site and engine."""

import os
import secrets
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from config.demo import content, people
from config.demo.children import Children, Ended, is_free
from config.demo.people import PEOPLE

HOST = "127.0.0.1"  # log-ins that are printed are for this machine alone

EXAMPLES = """\
examples:
  manage.py demo
  manage.py demo --port 8001
  DATABASE_URL=postgres://localhost/demo manage.py demo    # an empty database of yours, in place of demo.sqlite3
"""

WELCOME = """
The web site is at  http://{host}:{port}/

Log in with the password  {password}  as:
{people}

Each finds there what waits for them, what they may start, and what they have started. Where admin defines processes and
looks after what runs is at  http://{host}:{port}/admin/
E-mail that they get is kept in files of the folder demo.mail.
Below, the engine tells what it does. Ctrl-C stops both. The data stays in {database}.
"""


class Command(BaseCommand):
    help = (
        "Run the web site and an engine together on this machine, with sample processes and people to log in as. It "
        "uses a database of its own, demo.sqlite3, which later demos go on with; delete the file to begin anew."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name, subcommand, epilog=EXAMPLES, formatter_class=RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the web site (default: %(default)s)")
        parser.add_argument("--password", help="password of all the demo's people (default: a new one each time)")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        port, password = options["port"], options["password"] or secrets.token_hex(4)
        _refuse_port_in_use(port)
        self._prepare(password)
        try:
            with Children() as children:
                self._run(children, port=port, password=password)
        except (Ended, TimeoutError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write("Stopped; nothing runs any more.")

    def _prepare(self, password: str) -> None:
        self.stdout.write(f"Preparing the database {_database()} …")
        call_command("migrate", verbosity=0)
        if not people.are_here():
            _refuse_somebody_elses_database()
            names = content.create()
            self.stdout.write(f"Loaded the processes {', '.join(names)}, and started some of each.")
        people.set_password(password)
        connection.close()

    def _run(self, children: Children, *, port: int, password: str) -> None:
        self.stdout.write("Starting the web site and the engine …")
        os.environ["SITE_URL"] = f"http://{HOST}:{port}"  # for links in e-mails
        children.start("web site", "runserver", "--noreload", f"{HOST}:{port}", quiet=True)
        children.wait_until_served(HOST, port)
        lines = [f"  {person.login:<8}{person.role}" for person in PEOPLE]
        self.stdout.write(
            WELCOME.format(host=HOST, port=port, password=password, people="\n".join(lines), database=_database())
        )
        self.stdout.flush()
        children.start("engine", "runengine", "--poll-interval", "0.5")
        children.watch()


def _refuse_port_in_use(port: int) -> None:
    if not 0 < port < 65_536:
        raise CommandError(f"{port} is no port; take one from 1 to 65535, such as --port 8001.")
    if not is_free(HOST, port):
        raise CommandError(
            f"Port {port} of {HOST} can't be used: another program has it, maybe another demo. Take another: --port {port + 1}."
        )


def _refuse_somebody_elses_database() -> None:
    if people.are_others_here():
        raise CommandError(
            f"The database {_database()} has users that the demo did not make. The demo creates log-ins with printed "
            "passwords, so it needs a database of its own: unset DATABASE_URL, or let it name an empty one."
        )


def _database() -> str:
    return str(connection.settings_dict["NAME"])
