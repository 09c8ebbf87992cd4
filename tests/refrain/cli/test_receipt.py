"""What a job's cost, and the answers of its providers, are in words."""

from __future__ import annotations

from refrain.cli.receipt import facts, receipt
from refrain.v1.job_pb2 import Cancellation, Cost, Job


def test_a_receipt_says_what_was_saved_and_what_is_not_known() -> None:
    job = Job(
        cancellation=Cancellation(
            provider_cancels=Cancellation.ProviderCancels(
                confirmed=2, pending=1, unsupported=3
            )
        ),
        cost=Cost(spent_usd=0.1344, avoided_usd=1234.5, unknown_usd=0.0672),
    )
    said = receipt(job)
    assert said["cost"] == ("$0.1344 spent, $1,234.5000 avoided, $0.0672 unknown")
    assert said["providers"] == ("2 stopped, 1 still asked, 3 cannot be stopped")
    assert facts(job)["cost"] == said["cost"]


def test_a_receipt_is_silent_on_providers_that_were_not_asked_for_anything() -> None:
    said = receipt(Job(cancellation=Cancellation()))
    assert (said["cost"], said["providers"]) == ("", "")


def test_a_job_under_way_says_what_of_its_calls_cannot_be_stopped() -> None:
    cost = Cost(in_flight_usd=0.6, unstoppable_usd=0.4)
    assert facts(Job(cost=cost))["in flight"] == (
        "$0.6000; $0.4000 of it cannot be stopped"
    )
    assert facts(Job())["in flight"] == ""
