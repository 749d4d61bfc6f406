"""The ways out of a step."""

from hypothesis import given, settings

from tests.definitions import runnable
from tests.walk import ways
from workflow.definition import Definition
from workflow.flow import Ending
from workflow.routes import Cause, routes


@settings(deadline=None, max_examples=200)
@given(runnable())
def test_the_ways_out_of_a_step_are_those_that_the_flow_takes(definition: Definition) -> None:
    endings = {Cause.FINISHED: Ending.FINISHED, Cause.REJECTED: Ending.REJECTED, Cause.FAILED: Ending.FAILED}
    for sequence in definition.sequences:
        expected = {
            (way.cause, endings[way.cause] if way.target is None else way.target)
            for way in routes(definition)
            if way.source == sequence
        }
        assert ways(definition, sequence) == expected
