"""Exit codes, the same for every command: 0 ok, 1 findings, 2 usage, 3 failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from pydantic import ValidationError

from sovproxy.errors import SovproxyError

if TYPE_CHECKING:
    from collections.abc import Callable

OK, FINDINGS, USAGE, FAILURE = 0, 1, 2, 3


def or_exit[T](make: Callable[[], T]) -> T:
    """Give what `make` gives, or show what went wrong and exit."""
    try:
        return make()
    except ValidationError as error:
        for item in error.errors():
            name = "_".join(str(part) for part in item["loc"]).upper()
            typer.echo(f"setting SOVPROXY_{name}: {item['msg']}; got {item['input']!r}", err=True)
        raise typer.Exit(USAGE) from None
    except (SovproxyError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILURE) from None
