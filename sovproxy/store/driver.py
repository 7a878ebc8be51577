"""What is asked of the databases' drivers themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Select


def read_bytes(connection: Connection, query: Select[Any, Any]) -> Iterator[Any]:
    """Rows of numbers and bytes. From PostgreSQL they come as bytes, not as text twice as long."""
    if connection.dialect.name == "sqlite":
        yield from connection.execute(query)
        return
    compiled = query.compile(
        dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
    )
    driver: Any = connection.connection.driver_connection
    with driver.cursor(binary=True) as cursor:
        cursor.execute(str(compiled), compiled.params)
        yield from cursor
