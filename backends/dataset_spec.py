"""Where the rows of a task come from: synthetic, packaged with a Python package, or a file and how it is read."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from .strict_model import Count, Finite, Name, NonNegative, Spec


class Synthetic(Spec):
    """y = X w + b + noise with X ~ N(0, 1): `rows` to train on and `held_out` more from the same distribution.

    `weights` are the true w; without them they are drawn from N(0, 1/features).
    """

    kind: Literal["synthetic"] = "synthetic"
    rows: Count
    held_out: Count
    features: Count
    weights: tuple[Finite, ...] | None = None
    bias: Finite = 0.0
    noise: NonNegative = 0.01
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_weight_per_feature(self) -> Self:
        if self.weights is not None and len(self.weights) != self.features:
            raise ValueError(f"weights: {len(self.weights)} given, for features: {self.features}")
        return self


class Packaged(Spec):
    """Real data that arrives with a Python package; split 80/20 by `seed`."""

    kind: Literal["packaged"] = "packaged"
    name: Literal["diabetes", "flights", "digits", "breast_cancer"]
    seed: int = Field(default=0, ge=0)


Missing: TypeAlias = Literal["refuse", "drop", "mean"]


class Reading(Spec):
    """How a table is read where its file does not tell by itself; None and empty leave it to the file.

    null: further words for a missing value. skip: columns left out. categorical: columns whose words become a
    column of 0 and 1 each; "auto": all columns of few words. missing: what happens to rows with gaps.
    """

    separator: str | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    null: tuple[Name, ...] = ()
    no_header: bool = False
    skip: tuple[Name, ...] = ()
    categorical: tuple[Name, ...] = ()
    missing: Missing = "refuse"


def _says_nothing(reading: Reading) -> bool:
    return reading == Reading()


class File(Spec):
    """A table in a file; `features` None means every other column. Split 80/20 by `seed`."""

    kind: Literal["file"] = "file"
    path: str
    target: Name
    features: tuple[Name, ...] | None = None
    seed: int = Field(default=0, ge=0)
    reading: Reading = Field(
        default=Reading(), exclude_if=_says_nothing
    )  # records made before have no such field


Dataset: TypeAlias = Annotated[Synthetic | Packaged | File, Field(discriminator="kind")]
