"""Bad input that is tried: what becomes of it, and by which tests. A part of the page ``reference/checks.md``."""

from __future__ import annotations

from dataclasses import dataclass

HTTP = "tests/deployment/test_bad_input.py::test_what_is_refused_over_http_says_where_and_why"
TAKEN = "tests/deployment/test_bad_input.py::test_what_is_only_unusual_is_taken_as_what_it_says"
SAME = "tests/app/test_doors.py::test_the_same_bytes_for_a_corpus_of_requests"
SHAPE = "tests/deployment/test_bad_input.py::test_what_cannot_be_assembled_is_said_with_place_reason_and_mend"
AWAY = "tests/deployment/test_bad_input.py::test_a_wrong_url_and_another_major_are_found_by_doctor_and_told_in_the_log"


@dataclass(frozen=True)
class Item:
    """What is put in, what becomes of it, and who holds that."""

    what: str
    becomes: str
    tests: tuple[str, ...]


ITEMS = (
    Item("malformed JSON", "400 with the byte", (HTTP, SAME)),
    Item("an oversized body", "413 with the limit; at the gateway before the app sees it", (HTTP, "tests/gateway/test_envoy.py::test_what_is_malformed_is_refused_as_a_problem")),
    Item("wrong types, missing fields", "400 with the field", (HTTP, SAME)),
    Item("a whole number that has no place in 64 bits", "400 with the field, as the documents say (`int64`)", (
        "tests/app/test_integers.py::test_a_number_that_is_too_wide_is_a_bad_request_that_names_it",
        "tests/app/test_arrangements.py::test_whole_numbers_have_64_bits")),
    Item("unknown fields of a body that is one Struct", "left aside, so that a newer caller is understood; 400 where the Struct says `forbid_unknown_fields`", (TAKEN,)),
    Item("unknown fields of a body that is made of several parameters", "400 with the field", (HTTP,)),
    Item("unknown parameters of a query", "left aside, so that one may be taken away within a major: a misspelt one is as if it were not sent", (TAKEN,)),
    Item("a query's parameter that is missing, stands twice or has the wrong type", "400 with the parameter", (HTTP, SAME)),
    Item("deep nesting", "400", (HTTP,)),
    Item("invalid UTF-8", "400", (HTTP, SAME)),
    Item("encoded slashes, dots and the like in paths", "at the gateway 400; directly part of the name", (
        "tests/gateway/test_door.py::test_paths_lead_where_they_say_or_nowhere", "tests/gateway/test_envoy.py::test_tricks_with_paths_and_headers", TAKEN)),
    Item("underscores in headers", "at the gateway 400; directly they claim nothing", ("tests/gateway/test_envoy.py::test_tricks_with_paths_and_headers", TAKEN)),
    Item("a consumer id that a client sends", "at the gateway taken away; directly 401", (
        "tests/gateway/test_door.py::test_no_header_of_a_client_makes_another_caller", "tests/app/test_arrangements.py::test_a_forged_consumer_header_on_a_direct_call_is_refused", HTTP)),
    Item("one request hidden in another", "the second is never seen", ("tests/gateway/test_door.py::test_no_request_hides_in_another",)),
    Item("a contract with a cycle", "refused at assembly, with the circle", (SHAPE,)),
    Item("a missing binding, two bindings", "refused at assembly, with the line for `levada.toml`", (SHAPE,)),
    Item("a wrong URL", "refused at assembly where it is none; `levada doctor` asks the others", (SHAPE, AWAY)),
    Item("a remote with another major version", "found by `levada doctor`", (AWAY,)),
    Item("a file half written", "waited for", (
        "tests/connect/test_files.py::test_a_server_that_goes_in_mid_transfer_leaves_nothing_that_is_picked_up",
        "tests/examples/test_warehouse_adapter.py::test_half_written_and_broken_files_keep_no_other_waiting")),
    Item("a CSV with a wrong column", "put among the failed with the reason; refused with line and mend", (
        "tests/examples/test_warehouse_adapter.py::test_half_written_and_broken_files_keep_no_other_waiting",
        "tests/examples/legacy/test_orders.py::test_broken_files_name_line_reason_and_mend")),
    Item("a SOAP fault", "a refusal with its code", (
        "tests/connect/test_soap.py::test_a_fault_is_a_refusal_with_its_code", "tests/examples/legacy/test_billing.py::test_faults_for_bad_input_leave_no_gap")),
    Item("an expired or revoked key", "401 at once", (
        "tests/gateway/test_keys.py::test_keys_end_by_time_by_revoking_and_after_the_grace_of_a_rotation",
        "tests/gateway/test_keys.py::test_at_the_gateway_a_key_is_good_at_once_and_refused_at_once")),
    Item("the clock is set by an hour, either way", "nothing is lost or done twice; timers fire", (
        "tests/process/test_clock.py::test_set_while_a_call_is_in_flight_each_effect_happens_once",
        "tests/process/test_clock.py::test_set_while_runs_sleep_each_wakes_once_and_in_the_end",
        "tests/events/test_clock.py::test_events_around_a_step_are_each_given_once_and_in_order",
        "tests/events/test_clock.py::test_an_answer_is_kept_over_a_step_and_a_repeat_of_its_key_is_answered",
        "tests/connect/test_claims.py::test_a_clock_that_is_set_takes_no_file_from_a_worker_that_lives",
        "tests/gateway/test_keys.py::test_a_clock_that_is_set_back_makes_no_ended_key_good_again",
        "tests/store/test_sqlite.py::test_after_a_step_back_and_a_restart_time_goes_on_and_does_not_stand")),
    Item("a full disk", "503, and on it goes once there is room", (
        "tests/deployment/test_disk.py::test_a_full_disk_refuses_and_loses_nothing_and_goes_on_once_there_is_room",
        "tests/connect/test_files.py::test_a_full_disk_leaves_no_half_file_and_goes_on_once_there_is_room")),
    Item("a read-only store", "refused when it is opened", ("tests/deployment/test_disk.py::test_a_store_that_may_not_be_written_is_said",)),
    Item("a store from a newer version", "refused, and left as it is", (
        "tests/deployment/test_processes.py::test_a_store_of_a_newer_program_is_refused", "tests/store/test_sqlite.py::test_a_newer_store_is_refused_and_left_as_it_is")),
    Item("an option or a configuration that is wrong", "exit code 2", (
        "tests/cli/test_every_verb.py::test_an_option_that_is_none_is_2_and_names_it", "tests/cli/test_every_verb.py::test_without_a_configuration_it_is_2_with_what_to_do_and_nothing_is_made")),
)  # fmt: skip


def section() -> list[str]:
    """The lines of the page."""
    lines = ["", "## Bad input", "", "Tried against the real server, gateway and command line:", ""]
    lines += ["| what | what becomes of it | held by |", "|---|---|---|"]
    for item in ITEMS:
        held = "<br>".join(f"`{test}`" for test in item.tests)
        lines.append(f"| {item.what} | {item.becomes} | {held} |")
    return lines
