"""Lists, describes and deletes datasets, and lists their versions."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from polarway import _arguments
from polarway._core import Core
from polarway._generated import messages, methods
from polarway._model import EPOCH, Dataset, Description, Published, Version
from polarway._request_id import of_call, of_table
from polarway.errors import InvalidInput, ProtocolError


async def datasets(core: Core) -> list[Dataset]:
    """All datasets with their newest versions, by name."""
    pages = await core.pages(methods.LIST_DATASETS, messages.ListDatasetsRequest())
    return [Dataset.of(dataset) for page in pages for dataset in page.datasets]


async def describe(core: Core, name: str, version: int | None, as_of: datetime | None) -> Description:
    """Describes a version of a dataset."""
    request = messages.GetDatasetRequest(name=checked_name(name), at=at(version, as_of))
    answer = await core.unary(methods.GET_DATASET, request)
    if answer.dataset is None:
        raise ProtocolError("the server sent a description without a dataset")
    return Description.of(answer.dataset)


async def versions(core: Core, name: str) -> list[Version]:
    """All versions that a dataset ever had, oldest first."""
    pages = await core.pages(methods.LIST_VERSIONS, messages.ListVersionsRequest(name=checked_name(name)))
    return [Version.of(version) for page in pages for version in page.versions]


async def delete(
    core: Core, name: str, expected_version: int | None, purge: bool, request: uuid.UUID | None
) -> Published:
    """Deletes a dataset."""
    message = messages.DeleteDatasetRequest(
        name=checked_name(name),
        request_id=of_table(of_call(request), 0),
        expected_version=checked_expectation(expected_version),
        purge=purge,
    )
    answer = await core.unary(methods.DELETE_DATASET, message)
    if answer.published is None:
        raise ProtocolError("the server did not say which version the deletion made")
    return Published.of(answer.published)


def checked_name(name: object) -> str:
    """The name of a dataset. Whether it is one that the server allows is the server's to say.

    Raises:
        InvalidInput: It is no text.
    """
    return _arguments.text(name, "name of a dataset")


def checked_expectation(version: int | None) -> int | None:
    """The version that a write expects, if it expects one.

    Raises:
        InvalidInput: It is no number.
    """
    return None if version is None else _arguments.number(version, "expected_version")


def at(version: int | None, as_of: datetime | None) -> messages.At | None:
    """Which version is meant; `None` is the newest.

    Raises:
        InvalidInput: Both a version and a time are given, or one of them can't be used; a time needs a time zone.
    """
    if version is not None and as_of is not None:
        raise InvalidInput("a version and a time are given: leave one out")
    if as_of is not None:
        if not isinstance(as_of, datetime):
            raise InvalidInput(f"{_arguments.shown(as_of)} is no time: give a datetime with a time zone")
        if as_of.tzinfo is None:
            raise InvalidInput(f"{as_of.isoformat()} has no time zone: give one, such as datetime.UTC")
        return messages.At(as_of_us=(as_of - EPOCH) // timedelta(microseconds=1))
    return None if version is None else messages.At(version=_arguments.number(version, "version"))
