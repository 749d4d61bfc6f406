"""What a command has said, and whether it succeeded."""

from subprocess import CompletedProcess


def printed(done: CompletedProcess[str]) -> list[str]:
    """The lines that a command that succeeded has printed. It must have had nothing to complain of."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def refused(done: CompletedProcess[str]) -> str:
    """What a command has said that was given bad input: an error of one's own, or of the arguments."""
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "Traceback" not in done.stderr
    own, arguments = "CommandError: ", " error: "
    _, sign, message = done.stderr.rstrip("\n").partition(own if done.stderr.startswith(own) else arguments)
    assert sign, done.stderr
    return message
