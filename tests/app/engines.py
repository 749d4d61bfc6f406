"""Runs engines as processes of their own, quickly: a process that has loaded Django forks one for each line that it reads.

A line is `KILL_AT`, or blank; the answer is the exit code of an engine that ran until nothing was due, and how many commits
it has made, which one that was killed does not tell.
"""

import os
import sys


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from tests.app import kills

    for line in sys.stdin:
        told, tells = os.pipe()
        child = os.fork()
        if not child:
            os.environ["KILL_AT"] = line.strip()
            kills.arm()
            call_command("runengine", "--until-idle", "--poll-interval", "0.02", "--lease", "60")
            os.write(tells, str(kills.commits()).encode())
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(tells)
        with os.fdopen(told) as commits:
            print(code, commits.read(), flush=True)


if __name__ == "__main__":
    main()
