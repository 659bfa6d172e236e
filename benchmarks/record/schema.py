"""The JSON Schema of a record, from the models that read and write it: `python -m docs.generate`.

It describes the JSON as it is written, under the key `samestep`. The tests check that docs/record.schema.json is
what this writes.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from . import KEY, SCHEMA_VERSION, Record, Record1
from .files import json_text

WORDS = ["Infinity", "-Infinity", "NaN"]


class AsWritten(GenerateJsonSchema):
    """Numbers as we write them: JSON has no infinity, so that what is not finite is a word."""

    schema_dialect = "https://json-schema.org/draft/2020-12/schema"

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        number = super().float_schema(schema)
        if schema.get("allow_inf_nan") is False:
            return number
        return {"anyOf": [number, {"enum": WORDS}]}

    def ser_schema(self, schema: Any) -> JsonSchemaValue | None:
        """A function that writes a value another way says no type: the only one is of a loss's options."""
        written = super().ser_schema(schema)
        return {"type": "object"} if written is None and schema["type"] == "function-plain" else written

    def generate(
        self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation"
    ) -> JsonSchemaValue:
        made = super().generate(schema, mode)
        version = made["properties"]["schema_version"]["const"]
        head = {
            "$schema": self.schema_dialect,
            "$id": f"urn:samestep:record:{version}",
            "title": f"samestep record, version {version}",
            "version": version,
            "$comment": f"The value of {KEY!r} in pytest-benchmark's JSON; docs/record.md explains it.",
        }
        return head | {name: value for name, value in made.items() if name not in head}


VERSIONS: dict[int, type[Record | Record1]] = {1: Record1, 2: Record}


def schema(version: int = SCHEMA_VERSION) -> dict[str, Any]:
    """The schema of a version, by default the current one."""
    return VERSIONS[version].model_json_schema(mode="serialization", schema_generator=AsWritten)


def text(version: int = SCHEMA_VERSION) -> str:
    """The schema as it is committed."""
    return json_text(schema(version), indent=2) + "\n"
