"""The errors a user can meet: one sentence that says what is wrong, where, and what to do."""


class DanggolError(Exception):
    """A failure that is reported as one sentence; ``exit_code`` is what the command line exits with."""

    exit_code = 1


class DataError(DanggolError):
    """The data breaks a rule, or cannot be read (exit 1)."""

    exit_code = 1


class UsageError(DanggolError):
    """The call is wrong: an unknown name, a bad option, a missing shop (exit 2)."""

    exit_code = 2
