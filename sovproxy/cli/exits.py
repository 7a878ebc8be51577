"""Exit codes, the same for every command: 0 ok, 1 findings, 2 usage, 3 failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from pydantic import ValidationError

from sovproxy.errors import SovproxyError
from sovproxy.events.text import visible
from sovproxy.settings_reading import InvalidSettings, read_settings
from sovproxy.yamlfile import path_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sovproxy.settings import Settings

OK, FINDINGS, USAGE, FAILURE = 0, 1, 2, 3


def or_exit[T](make: Callable[[], T]) -> T:
    """Give what `make` gives, or show what went wrong and exit."""
    try:
        return make()
    except InvalidSettings as error:
        _show(str(error))
        raise typer.Exit(USAGE) from None
    except ValidationError as error:  # of what was given with the command
        _show("\n".join(f"{path_text(item['loc'])}: {item['msg']}" for item in error.errors()))
        raise typer.Exit(USAGE) from None
    except (SovproxyError, OSError) as error:
        _show(str(error))
        raise typer.Exit(FAILURE) from None


def settings_or_exit(**given: object) -> Settings:
    """The settings of this installation; `given` counts first. Exits with what is wrong in them."""
    return or_exit(lambda: read_settings(**given))


def _show(text: str) -> None:
    for line in text.split("\n"):
        typer.echo(visible(line), err=True)
