"""Entry point of the command line."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback while it is still imported, too."""
    try:
        from nasrepro import cli

        cli.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
