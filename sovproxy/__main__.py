"""`python -m sovproxy` is the command `sovproxy`."""

from sovproxy.cli.main import main

if __name__ == "__main__":
    main()
