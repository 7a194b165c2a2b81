"""Whatever is sent, by whomever: an answer that the documentation knows, and never a fault of ours.

Schemathesis makes the requests, right and wrong ones, and judges the answers. Its own pytest plugin does not work
with pytest 9.2, so its strategies are drawn from here.
"""

import os
from urllib.parse import parse_qs, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import CheckContext, CheckFunction, GenerationMode, Response
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection

from qa_service.domain.access import Role
from tests.api.conftest import World
from tests.api.test_permissions import OPERATIONS

# A valid request may be refused for what the schema cannot say: a date that is past, a cursor of another list.
# What it may not be is misunderstood, which ``is_understood`` checks.
REFUSALS = ["2xx", "400", "401", "403", "404", "409", "412", "422", "428", "429"]
CONFIG = SchemathesisConfig.from_dict({"checks": {"positive_data_acceptance": {"expected-statuses": REFUSALS}}})

EXAMPLES = int(os.environ.get("QA_TEST_API_EXAMPLES", "3"))
"""Of each operation, role and kind; ``make fuzz`` asks for more."""


@pytest.fixture(scope="module")
def documented(shared_world: World) -> BaseSchema:
    return schemathesis.openapi.from_asgi("/v1/openapi.json", shared_world.app.app, config=CONFIG)


def is_understood(context: CheckContext, response: Response, case: schemathesis.Case) -> None:
    """A request that the schema allows is not answered as one that it does not."""
    valid = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if valid and response.status_code in (400, 422):
        assert response.json()["code"] != "request_invalid", response.text


def is_lost(case: schemathesis.Case, answer: Response) -> bool:
    """Whether a parameter of the query was made that no URL can say, an empty list: nobody is to refuse that."""
    sent = parse_qs(urlsplit(answer.request.url or "").query, keep_blank_values=True)
    return not set(case.query) <= sent.keys()


@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p, _ in OPERATIONS], ids=lambda part: part)
def test_every_answer_is_as_documented(
    shared_world: World, documented: BaseSchema, method: str, path: str
) -> None:
    operation: APIOperation = documented[path][method]
    requests = st.one_of(operation.as_strategy(mode) for mode in GenerationMode)

    @settings(max_examples=EXAMPLES * 2 * len(Role), suppress_health_check=list(HealthCheck), deadline=None)
    @given(case=requests, role=st.sampled_from(list(Role)))
    def ask(case: schemathesis.Case, role: Role) -> None:
        headers = {"Authorization": shared_world.clients[role].headers["authorization"]}
        answer = case.call(headers=headers)
        # The check takes our header for its own and away; tests/api/test_permissions.py asks without one.
        not_asked: list[CheckFunction] = [ignored_auth]
        if is_lost(case, answer):
            not_asked.append(negative_data_rejection)
        case.validate_response(answer, excluded_checks=not_asked, additional_checks=[is_understood])

    ask()
