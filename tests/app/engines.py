"""Runs engines as processes of their own, quickly: a process that has loaded Django forks one for each line that it reads.

A line is `KILL_AT`, or blank; the answer is the exit code of an engine that ran until nothing was due.
"""

import os
import sys


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from tests.app.kills import arm

    for line in sys.stdin:
        child = os.fork()
        if not child:
            os.environ["KILL_AT"] = line.strip()
            arm()
            call_command("runengine", "--until-idle", "--poll-interval", "0.02", "--lease", "60")
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
