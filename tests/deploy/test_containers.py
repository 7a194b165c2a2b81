"""Image and Compose file: known settings, no password that works, nothing published but the web process."""

import re
import tomllib
from typing import Any

import pytest
import yaml

from qa_service.settings import Settings
from tests.corpus import ROOT

FOLDER = ROOT / "deploy" / "container"
TEXT = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
IMAGE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
OURS = ["upgrade", "serve", "worker", "worker-gpu"]
SECRETS = re.compile(r"PASSWORD|SECRET|TOKEN|KEY|AUTH")


def test_the_services() -> None:
    assert list(SERVICES) == ["postgres", "redis", *OURS]
    assert SERVICES["worker-gpu"]["profiles"] == ["gpu"]


def test_every_variable_is_required_or_harmless() -> None:
    used = re.findall(r"\$\{(\w+)(:[-?])?([^}]*)\}", TEXT)
    assert len(used) > 8
    for name, kind, _ in used:
        assert kind == ":?" or (kind == ":-" and not SECRETS.search(name)), name


def test_no_password_is_written_down() -> None:
    required = re.compile(r"\$\{QA_(POSTGRES|REDIS)_PASSWORD:\?[^}]*\}")
    given = [
        value
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if SECRETS.search(name)
    ]
    command = SERVICES["redis"]["command"]
    given.append(command[command.index("--requirepass") + 1])
    assert len(given) == 3
    assert all(required.fullmatch(value) for value in given)
    for name in OURS:
        for url in ("QA_DATABASE_URL", "QA_BROKER_URL"):
            assert required.search(SERVICES[name]["environment"][url])
            assert re.fullmatch(r"\w+://\w*:@[\w:/]+", required.sub("", SERVICES[name]["environment"][url]))


def test_every_environment_variable_is_a_setting() -> None:
    for name in OURS:
        given = SERVICES[name]["environment"]
        assert given
        unknown = {key for key in given if key.removeprefix("QA_").lower() not in Settings.model_fields}
        assert unknown == set(), name


def test_only_the_web_process_is_published_and_only_here() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"serve": ["127.0.0.1:8000:8000"]}


def test_everything_named_is_there() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or source.startswith("${"), volume


def test_who_must_wait_waits() -> None:
    assert SERVICES["upgrade"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("serve", "worker", "worker-gpu"):
        assert SERVICES[name]["depends_on"]["upgrade"]["condition"] == "service_completed_successfully"
    assert "healthcheck" in SERVICES["postgres"]
    assert "healthcheck" in SERVICES["redis"]


@pytest.mark.parametrize("name", OURS)
def test_ours_run_without_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert not service.get("privileged")
    if name.startswith("worker"):
        assert service["stop_grace_period"] == "2h", "a batch is finished first"


def test_images_have_versions() -> None:
    images = [service["image"] for service in SERVICES.values()] + re.findall(
        r"^ARG BASE=(.*)$", IMAGE, re.MULTILINE
    )
    foreign = [image for image in images if not image.startswith("${")]
    assert len(foreign) == 3
    assert all(re.search(r":\d", image) for image in foreign)


def test_the_image_has_what_it_runs_and_no_root() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (extras,) = re.findall(r'^ARG EXTRAS="(.*)"$', IMAGE, re.MULTILINE)
    assert set(extras.split(",")) <= set(project["project"]["optional-dependencies"])
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert f"COPY {package} {package}\n" in IMAGE
    assert re.findall(r"^USER (.*)$", IMAGE, re.MULTILINE) == ["qa"]
    assert IMAGE.index("USER qa") < IMAGE.index("ENTRYPOINT")
    torch = project["project"]["optional-dependencies"]["diarization"]
    (named,) = re.findall(r'^ARG TORCH="(torch==\S+)', IMAGE, re.MULTILINE)
    assert named in torch
    for name, value in re.findall(r"\b(QA_\w+)=(\S+)", IMAGE):
        assert name.removeprefix("QA_").lower() in Settings.model_fields, (name, value)
