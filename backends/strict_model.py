"""What specifications and records are made of: a frozen, strict model that JSON can hold, and kinds of number."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _number(value: Any) -> Any:
    return float(value) if value in ("Infinity", "-Infinity", "NaN") else value


Number: TypeAlias = Annotated[float, BeforeValidator(_number)]  # JSON has no infinity: it travels as a string
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
LONGEST_TEXT, LONGEST_NAME = (
    10_000,
    2_000,
)  # characters of a sentence, and of what names a row or a column
Name = Annotated[str, Field(max_length=LONGEST_NAME)]


class Spec(BaseModel):
    """A frozen, strict piece of a specification: unknown fields and silent conversions are errors.

    No text in it, and no key, is longer than LONGEST_TEXT, unless a field says otherwise.
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", ser_json_inf_nan="strings", str_max_length=LONGEST_TEXT
    )

    def as_json(self) -> Any:
        """The specification as JSON's own values; a number that is not finite is a string there."""
        return json.loads(self.model_dump_json())  # model_dump(mode="json") would leave NaN as it is

    def digest(self) -> str:
        """SHA-256 of the canonical JSON (sorted keys, no spaces): equal digests mean equal specifications."""
        text = json.dumps(self.as_json(), allow_nan=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
