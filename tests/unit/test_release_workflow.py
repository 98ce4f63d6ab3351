"""The workflow that publishes the image: nothing is unpinned, pasted into a shell, or pushed unchecked."""

import re
from pathlib import Path

import pytest
import yaml

WORKFLOW = Path(__file__).resolve().parents[2] / ".github/workflows/release.yml"


@pytest.fixture(scope="module")
def steps() -> list[dict]:
    return yaml.safe_load(WORKFLOW.read_text())["jobs"]["image"]["steps"]


def test_actions_are_pinned_by_commit(steps: list[dict]) -> None:
    used = [step["uses"] for step in steps if "uses" in step]
    assert len(used) == 3
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name) for name in used)


def test_no_expression_is_pasted_into_a_shell(steps: list[dict]) -> None:
    """A tag's name is the pusher's; as an environment variable it stays text."""
    commands = [step["run"] for step in steps if "run" in step]
    assert commands and not any("${{" in command for command in commands)


def test_an_image_is_checked_and_scanned_before_it_is_pushed(steps: list[dict]) -> None:
    said = [step.get("run", "") + step.get("uses", "") for step in steps]
    words = ("classfold image build", "classfold image test", "scan-action", "docker push", "cosign sign")
    order = [next(i for i, text in enumerate(said) if word in text) for word in words]
    assert order == sorted(order)
    assert steps[order[2]]["with"]["fail-build"] is True
    assert not any(step.get("continue-on-error") for step in steps)
