"""`python -m panel`, and the command `perennial`."""

from __future__ import annotations

from panel.cli import cli


def main() -> None:
    """Runs one command. What is wrong with the configuration is one line, exit code 2."""
    cli.main(prog_name="perennial")


if __name__ == "__main__":
    main()
