"""The names of devices and of lanes: every part is read once, and written back as it was."""

from __future__ import annotations

import pytest

from samestep import backends
from samestep.backends.interface import Device, LaneName


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("cpu", Device("cpu")),
        ("cuda", Device("cuda", 0)),
        ("cuda:1", Device("cuda", 1)),
        ("tpu:12", Device("tpu", 12)),
    ],
)
def test_a_device_is_a_kind_and_a_number(text: str, device: Device) -> None:
    assert Device.parse(text) == device
    assert str(device) == text


def test_the_first_device_goes_by_its_kind() -> None:
    assert str(Device.parse("cuda:0")) == "cuda"
    assert Device.names("cuda", 3) == ("cuda", "cuda:1", "cuda:2")


@pytest.mark.parametrize(
    "text", ["", ":1", "cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "cuda: 1", "cuda:²", "my gpu"]
)
def test_what_is_no_device_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a device: give a kind") as refused:
        Device.parse(text)
    assert str(refused.value).startswith(repr(text))


NAMES = [
    ("torch", LaneName("torch")),
    ("torch:compile", LaneName("torch", "compile")),
    ("torch@old", LaneName("torch", environment="old")),
    ("torch:compile@old", LaneName("torch", "compile", "old")),
    ("my.module:Lane", LaneName("my.module", "Lane")),
]


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_a_lane_is_a_framework_a_form_and_an_environment(text: str, name: LaneName) -> None:
    assert LaneName.parse(text) == name
    assert str(name) == text


@pytest.mark.parametrize("text", ["", ":compile", "torch:", "torch@", "@old", "torch:@old"])
def test_a_lane_lacks_no_part(text: str) -> None:
    with pytest.raises(ValueError, match="is not a lane's name"):
        LaneName.parse(text)


def test_an_import_path_is_told_from_a_form_by_the_class() -> None:
    paths = {
        "my.module:Lane": True,
        "lanes:Mine": True,
        "lanes:_Mine": True,
        "torch:compile": False,
        "torch": False,
    }
    paths |= {"my module:Lane": False, "numpy:v2.1": False, "numpy:2": False, "my.module:Lane@old": False}
    assert {text: LaneName.parse(text).is_import_path for text in paths} == paths


def test_no_registered_lane_reads_as_an_import_path() -> None:
    assert not [name for name in backends.names() if LaneName.parse(name).is_import_path]
