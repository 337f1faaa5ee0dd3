"""What exports say of when a flow runs, and how long the plan watches it for that."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from levada.landscape.mapping import map_folders
from levada.landscape.plan import watch_days

Folder = Callable[[dict[str, str]], Path]


def watches(root: Path) -> dict[str, int]:
    """The days for each flow."""
    return {f.id: watch_days([f]) for f in map_folders([root]).network.flows.values()}


@pytest.mark.parametrize("column", ["Frequency", "Turnus"])
@pytest.mark.parametrize(
    ("said", "days"),
    [("quarterly", 184), ("once a year", 732), ("monatlich", 62), ("on demand", 35), ("", 35), ("daily", 7)],
)
def test_a_column_of_a_sheet(folder: Folder, column: str, said: str, days: int) -> None:
    rows = f"Consumer;Provider;Protocol;{column}\ncrm;erp;SOAP;{said}\n"
    assert list(watches(folder({"list.csv": rows})).values()) == [days]
    listed = f"consumer,provider,{column}\ncrm,erp,{said}\n"
    assert list(watches(folder({"list.csv": "", "flows.csv": listed})).values()) == [days]


JOB = """apiVersion: batch/v1
kind: CronJob
metadata: {name: close}
spec:
  schedule: "0 6 1 1 *"
  jobTemplate: {spec: {template: {spec: {containers: [
    {name: a, image: acme/close, env: [{name: ERP_URL, value: "https://erp.acme.org/close"}]}]}}}}
"""


def test_a_cronjob_of_kubernetes(folder: Folder) -> None:
    assert watches(folder({"k8s/close.yaml": JOB})) == {"close > erp.acme.org (sync/http)": 732}
    daily = JOB.replace("0 6 1 1 *", "0 6 * * *")
    assert list(watches(folder({"k8s/close.yaml": daily})).values()) == [7]
    service = JOB.replace("CronJob", "Deployment").replace("batch/v1", "apps/v1")
    service = (
        service.replace("jobTemplate: {spec: {template", "template: {spec")
        .replace("]}}}}", "]}}")
        .replace("{spec: {spec", "{spec")
    )
    both = folder({"k8s/close.yaml": daily, "k8s/other.yaml": service})
    assert list(watches(both).values()) == [35]


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ({"field": "months"}, 62),
        ({"field": "months", "monthsInterval": 3}, 186),
        ({"field": "weeks", "weeksInterval": 2}, 28),
        ({"field": "cronExpression", "expression": "0 6 1 1 *"}, 732),
        ({}, 7),
        ({"field": "months", "monthsInterval": "={{ $json.n }}"}, 35),
    ],
)
def test_a_schedule_of_n8n(folder: Folder, rule: dict[str, Any], days: int) -> None:
    trigger = {
        "type": "n8n-nodes-base.scheduleTrigger",
        "name": "s",
        "parameters": {"rule": {"interval": [rule]}},
    }
    assert list(watches(folder({"w.json": workflow(trigger)})).values()) == [days] * 3
    webhook = {"type": "n8n-nodes-base.webhook", "name": "w", "parameters": {}}
    both = watches(folder({"w.json": workflow(trigger, webhook)}))
    assert set(both.values()) == {max(days, 35)}


def test_the_older_nodes_of_n8n(folder: Folder) -> None:
    times: dict[str, Any] = {"triggerTimes": {"item": [{"mode": "everyMonth"}]}}
    cron: dict[str, Any] = {"type": "n8n-nodes-base.cron", "name": "c", "parameters": times}
    assert set(watches(folder({"w.json": workflow(cron)})).values()) == {62}
    cron["parameters"] = {"triggerTimes": {"item": [{"mode": "custom", "cronExpression": "0 0 6 1 1 *"}]}}
    assert set(watches(folder({"w.json": workflow(cron)})).values()) == {732}


def workflow(*triggers: dict[str, Any]) -> str:
    """A workflow that calls a URL, a database and another workflow."""
    steps = [
        {"type": "n8n-nodes-base.httpRequest", "name": "h", "parameters": {"url": "https://erp.acme.org/x"}},
        {
            "type": "n8n-nodes-base.postgres", "name": "p", "parameters": {"table": "orders"},
            "credentials": {"postgres": {"id": "1", "name": "erp"}},
        },
        {"type": "n8n-nodes-base.executeWorkflow", "name": "e", "parameters": {"workflowId": "other"}},
    ]  # fmt: skip
    return json.dumps({"name": "close", "nodes": [*triggers, *steps]})


MULE = """<mule xmlns="http://www.mulesoft.org/schema/mule/core" xmlns:http="http://www.mulesoft.org/schema/mule/http">
  <http:request-config name="erp"><http:request-connection host="erp.acme.org" protocol="HTTPS"/></http:request-config>
  <configuration-properties file="app.properties"/>
  <flow name="close"><scheduler><scheduling-strategy>{strategy}</scheduling-strategy></scheduler>
    <http:request config-ref="erp" path="/close"/></flow>
  {more}
</mule>"""


@pytest.mark.parametrize(
    ("strategy", "days"),
    [
        ('<cron expression="0 0 6 1 * ?"/>', 62),
        ('<cron expression="${close.at}"/>', 732),
        ('<cron expression="${nowhere}"/>', 35),
        ('<fixed-frequency frequency="30" timeUnit="DAYS"/>', 60),
        ('<fixed-frequency frequency="2592000000"/>', 60),
    ],
)
def test_a_scheduler_of_mule(folder: Folder, strategy: str, days: int) -> None:
    files = {
        "close/src/main/mule/a.xml": MULE.format(strategy=strategy, more=""),
        "close/src/main/resources/app.properties": "close.at=0 0 6 1 1 ?\n",
    }
    assert list(watches(folder(files)).values()) == [days]


def test_what_another_flow_of_mule_calls_too_is_not_only_scheduled(folder: Folder) -> None:
    more = '<flow name="b"><http:request config-ref="erp" path="/close"/></flow>'
    text = MULE.format(strategy='<cron expression="0 0 6 * * ?"/>', more=more)
    assert list(watches(folder({"close/src/main/mule/a.xml": text})).values()) == [35]


LAMBDA = """resource "aws_lambda_function" "close" {
  function_name = "close"
  environment { variables = { ERP_URL = "https://erp.acme.org/close" } }
}
"""
RULE = """resource "aws_cloudwatch_event_rule" "at" {
  schedule_expression = "%s"
}
resource "aws_cloudwatch_event_target" "at" {
  rule = aws_cloudwatch_event_rule.at.name
  arn  = aws_lambda_function.close.arn
}
"""
SCHEDULER = """resource "aws_scheduler_schedule" "at" {
  schedule_expression = "%s"
  target {
    arn      = aws_lambda_function.close.arn
    role_arn = "x"
  }
}
"""


@pytest.mark.parametrize("starter", [RULE, SCHEDULER])
@pytest.mark.parametrize(
    ("expression", "days"),
    [("cron(0 6 1 * ? *)", 62), ("rate(30 days)", 60), ("${var.at}", 35), ("rate(1 day)", 7)],
)
def test_a_schedule_of_terraform(folder: Folder, starter: str, expression: str, days: int) -> None:
    assert list(watches(folder({"main.tf": LAMBDA + starter % expression})).values()) == [days]


def test_a_function_that_others_start_too_is_not_only_scheduled(folder: Folder) -> None:
    queue = """resource "aws_sqs_queue" "orders" {}
resource "aws_lambda_event_source_mapping" "orders" {
  event_source_arn = aws_sqs_queue.orders.arn
  function_name    = aws_lambda_function.close.arn
}
"""
    found = watches(folder({"main.tf": LAMBDA + RULE % "rate(1 day)" + queue}))
    assert set(found.values()) == {35}


SERVICE = """resource "google_cloud_run_v2_service" "close" {
  name = "close"
  template { containers { env {
    name  = "ERP_URL"
    value = "https://erp.acme.org/close"
  } } }
}
resource "google_cloud_run_v2_job" "batch" {
  name = "batch"
  template { template { containers { env {
    name  = "CRM_URL"
    value = "https://crm.acme.org/x"
  } } } }
}
resource "google_pubsub_topic" "tick" { name = "tick" }
resource "google_cloudfunctions_function" "tell" {
  name = "tell"
  environment_variables = { CRM_URL = "https://crm.acme.org/x" }
  event_trigger {
    event_type = "google.pubsub.topic.publish"
    resource   = google_pubsub_topic.tick.name
  }
}
variable "at" { default = "0 6 1 * *" }
"""
JOB_OF_GOOGLE = """resource "google_cloud_scheduler_job" "at" {
  name     = "at"
  schedule = %s
  %s
}
"""


@pytest.mark.parametrize(
    ("schedule", "target", "watched"),
    [
        ('"0 6 1 1 *"', "http_target { uri = google_cloud_run_v2_service.close.uri }", {"close": 732}),
        ("var.at", 'http_target { uri = "${google_cloud_run_v2_service.close.uri}/run" }', {"close": 62}),
        ('"every 24 hours"', "http_target { uri = google_cloud_run_v2_service.close.uri }", {"close": 7}),
        ("local.unknown", "http_target { uri = google_cloud_run_v2_service.close.uri }", {}),
        ('"0 6 1 1 *"\n  paused = true', "http_target { uri = google_cloud_run_v2_service.close.uri }", {}),
        (
            '"0 6 1 * *"',
            'http_target { uri = "https://r-run.googleapis.com/apis/v1/jobs/${google_cloud_run_v2_job.batch.name}:run" }',
            {"batch": 62},
        ),
        ('"0 6 1 1 *"', "pubsub_target { topic_name = google_pubsub_topic.tick.id }", {"tell": 732}),
        ('"0 6 * * *"', "pubsub_target { topic_name = google_pubsub_topic.tick.id }", {}),
        ('"0 6 1 1 *"', 'http_target { uri = "https://partner.org/run" }', {"at": 732}),
    ],
)
def test_a_job_of_google_cloud_scheduler(
    folder: Folder, schedule: str, target: str, watched: dict[str, int]
) -> None:
    found = watches(folder({"main.tf": SERVICE + JOB_OF_GOOGLE % (schedule, target)}))
    expected = {
        "close > erp.acme.org (sync/http)": 35, "batch > crm.acme.org (sync/http)": 35,
        "tell > crm.acme.org (sync/http)": 35, "tell > tick (async/pubsub)": 35,
    }  # fmt: skip
    if "partner" in target:
        expected["at > partner.org (sync/http)"] = 35
    assert found == {f: watched.get(f.partition(" > ")[0], d) for f, d in expected.items()}


@pytest.mark.parametrize(
    ("timer", "days"),
    [
        ("close.timer:OnCalendar=monthly", 62),
        ("close.timer:OnCalendar=*-*-01 06:00", 62),
        ("close.timer:OnCalendar=yearly", 732),
        ("at.timer:OnCalendar=quarterly\nUnit=close.service", 184),
        ("close.timer:OnUnitActiveSec=30d", 60),
        ("close.timer:OnBootSec=5min", 35),
        ("other.timer:OnCalendar=daily", 35),
        ("close.timer:OnCalendar=daily\nOnCalendar=*-*~01", 35),
    ],
)
def test_a_timer_of_systemd(folder: Folder, timer: str, days: int) -> None:
    name, _, text = timer.partition(":")
    unit = "[Service]\nExecStart=/usr/bin/curl https://erp.acme.org/close\n"
    files = {"etc/close.service": unit, f"etc/{name}": f"[Timer]\n{text}\n"}
    assert list(watches(folder(files)).values()) == [days]


CALL = "#!/bin/sh\n{guard}\ncurl https://erp.acme.org/x\n"


@pytest.mark.parametrize(
    ("crontab", "script"),
    [
        ("cron/crontab", "cron/jobs/quarter.sh"),
        ("cron/crontab", "jobs/quarter.sh"),
        ("etc/cron.d/acme", "cron/quarter.sh"),
    ],
)
def test_a_script_below_a_folder_named_cron_is_a_script(folder: Folder, crontab: str, script: str) -> None:
    files = {crontab: "0 6 1 1,4,7,10 * jobs/quarter.sh\n", script: CALL.format(guard="")}
    network = map_folders([folder(files)]).network
    (flow,) = network.flows.values()
    assert (flow.consumer, watch_days([flow])) == ("script/quarter", 184)


def test_a_script_of_a_folder_that_cron_runs_has_its_schedule(folder: Folder) -> None:
    files = {"etc/cron.monthly/close": CALL.format(guard="")}
    assert watches(folder(files)) == {"script/close > erp.acme.org [/x] (batch/http)": 62}


@pytest.mark.parametrize(
    ("before", "days"),
    [
        ("", 7),
        ("cd /opt/acme && ", 7),
        ("root cd /opt/acme && . ./env && ", 7),
        ("A=1 flock -n /tmp/lock ", 7),
        (r'[ "$(date +\%d)" = "01" ] && ', 62),
        (r"test $(date +\%d) -eq 1 && ", 62),
        (r"bash -c '[ $(date +\%u) = 1 ] && '", 62),
        (r"date +\%d | grep -q 01 && ", 62),
        (r"[ $(date +\%d) != 01 ] || ", 62),
        ("if acme-open; then ", 62),
        ("acme-open && ", 62),
        ("acme-closed || ", 62),
        (r'[ "$(date +\%m\%d)" = "0101" ] && ', 732),
    ],
)
def test_a_run_behind_a_condition_is_not_of_its_schedule(folder: Folder, before: str, days: int) -> None:
    files = {"crontab": f"0 6 * * * {before}jobs/job.sh\n", "jobs/job.sh": CALL.format(guard="")}
    (flow,) = map_folders([folder(files)]).network.flows.values()
    assert watch_days([flow]) == days
    assert ("period_s" in flow.attributes) == (days == 7)
    alone = {"crontab": f"0 6 * * * {before}curl https://erp.acme.org/x\n", "jobs/job.sh": ""}
    assert list(watches(folder(alone)).values()) == [days]


@pytest.mark.parametrize(
    ("guard", "days"),
    [
        ('[ "$(date +%d)" = 01 ] || exit 0', 62),
        ("D=$(date +%-d)\nif [ $D -ne 1 ]; then\n  exit 0\nfi", 62),
        ('case "$(date +%a)" in Mon) ;; *) exit 0;; esac', 62),
        ("[[ `date -d tomorrow +%d` == 01 ]] || exit", 62),
        ('[ "$(date +%m)" = 12 ] || exit 0', 732),
        ('[ "$(date +%Y%m%d)" = "$LAST" ] && exit 0', 62),
        ('[ "$(date +%H)" -lt 6 ] && exit 0', 7),
        ('LOG=/var/log/x-$(date +%F).log\n[ -f "$LOG" ] || touch $LOG', 7),
        ("[ -d /data ] || exit 1", 7),
        ("M=$(date +%m)\ngrep -v x ../orders-$M.csv | while read -r n; do echo $n; done", 7),
        ("D=$(date +%d)\n(( D == 1 )) || exit", 62),
        ("if date +%d | grep -qv 01; then exit; fi", 62),
        ("D=$(date +%d)\ntest $D -eq 1 || exit 0", 62),
        ('# [ "$(date +%d)" = 01 ] || exit 0', 7),
    ],
)
def test_a_script_that_looks_at_the_date_is_not_of_its_schedule(
    folder: Folder, guard: str, days: int
) -> None:
    files = {"crontab": "0 6 * * * jobs/job.sh\n", "jobs/job.sh": CALL.format(guard=guard)}
    assert list(watches(folder(files)).values()) == [days]


def test_of_several_runs_of_a_script_each_counts(folder: Folder) -> None:
    runs = r"0 6 * * * [ $(date +\%u) = 1 ] && job.sh" + "\n0 6 1 1 * job.sh\n0 7 * * * job.sh\n"
    files = {"crontab": runs, "job.sh": CALL.format(guard="")}
    assert list(watches(folder(files)).values()) == [732]


FUNCTION = """AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Close:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {ERP_URL: "https://erp.acme.org/close"}}
"""
SAM = """      Events: {At: {Type: Schedule, Properties: {Schedule: "%s"}}}
"""
EVENTS = """  At:
    Type: AWS::Events::Rule
    Properties: {ScheduleExpression: "%s", Targets: [{Id: a, Arn: !GetAtt Close.Arn}]}
"""
SCHEDULE = """  At:
    Type: AWS::Scheduler::Schedule
    Properties: {ScheduleExpression: "%s", Target: {Arn: !GetAtt Close.Arn, RoleArn: x}}
"""


@pytest.mark.parametrize("starter", [SAM, EVENTS, SCHEDULE])
@pytest.mark.parametrize(
    ("expression", "days"), [("cron(0 6 1 1 ? *)", 732), ("rate(30 days)", 60), ("at", 35)]
)
def test_a_schedule_of_cloudformation(folder: Folder, starter: str, expression: str, days: int) -> None:
    assert list(watches(folder({"t.yaml": FUNCTION + starter % expression})).values()) == [days]


@pytest.mark.parametrize(
    ("start", "days"),
    [
        ("timer:tick?period=86400000", 7),
        ("timer:tick?period=30d", 60),
        ("timer:tick?period=30d&repeatCount=1", 35),
        ("timer:tick", 7),
        ("quartz:nightly?cron=0+0+2+*+*+?", 7),
        ("quartz://billing/monthly?cron=0+0+2+1+*+?", 62),
        ("quartz:x?trigger.repeatInterval=2592000000&trigger.repeatCount=-1", 60),
        ("quartz:x?trigger.repeatInterval=2592000000", 35),
        ("cron:tab?schedule=0 0 6 1 1 ?", 732),
        ("cron:tab?schedule={{close.at}}", 732),
        ("cron:tab?schedule={{other.at:0 6 1 * *}}", 62),
        ("cron:tab?schedule={{nowhere}}", 35),
        ("scheduler:x?delay=10&timeUnit=DAYS", 20),
        ("kamelet:cron-source?schedule=0 0 6 1 * ?", 62),
        ("kamelet:timer-source?period=2592000000", 60),
        ("jms:queue:close", 35),
        ("direct:close", 35),
    ],
)
def test_a_route_of_camel_begins_by_the_clock(folder: Folder, start: str, days: int) -> None:
    yaml = (
        f"- route:\n    from:\n      uri: '{start}'\n      steps:\n      - to: https://erp.acme.org/close\n"
    )
    xml = f"""<routes xmlns="http://camel.apache.org/schema/spring"><route><from uri="{start.replace("&", "&amp;")}"/>
    <choice><when><to uri="https://erp.acme.org/close"/></when></choice></route></routes>"""
    java = 'class R extends RouteBuilder { void configure() {\nfrom("%s")\n.to("https://erp.acme.org/close"); } }'
    for name, text in (("r.camel.yaml", yaml), ("r.xml", xml), ("R.java", java % start)):
        found = watches(folder({"application.properties": "close.at=0 6 1 1 *\n", f"{name}": text}))
        assert next(d for f, d in found.items() if "erp.acme.org" in f) == days, name
        (folder({}) / name).unlink()


def test_a_period_of_camel_stands_among_its_parameters(folder: Folder) -> None:
    text = "- from:\n    uri: timer:x\n    parameters: {period: '{{pause:30d}}'}\n    steps:\n    - to: https://erp.acme.org/x\n"
    assert list(watches(folder({"r.camel.yaml": text})).values()) == [60]


PIPE = """apiVersion: camel.apache.org/v1
kind: Pipe
metadata: {name: close}
spec:
  source: {ref: {kind: Kamelet, name: %s}, properties: {%s}}
  sink: {ref: {kind: Kamelet, name: http-sink}, properties: {url: "https://erp.acme.org/close"}}
"""


@pytest.mark.parametrize(
    ("name", "properties", "days"),
    [
        ("cron-source", 'schedule: "0 6 1 * *"', 62),
        ("timer-source", 'period: "5000"', 7),
        ("jms-source", "", 35),
    ],
)
def test_a_pipe_of_camel_begins_by_the_clock(folder: Folder, name: str, properties: str, days: int) -> None:
    found = watches(folder({"p.yaml": PIPE % (name, properties)}))
    assert found["camel/close > erp.acme.org (sync/http)"] == days


def routes(*routes: str) -> str:
    """A file of routes, each given as its beginning and its steps."""
    return "".join(
        f"- from:\n    uri: '{begin}'\n    steps:\n" + "".join(f"    - to: '{to}'\n" for to in to.split())
        for begin, _, to in (r.partition(" > ") for r in routes)
    )


@pytest.mark.parametrize(
    ("files", "days"),
    [
        ({"a": ["timer:x?period=30d > direct:close", "direct:close > https://erp.acme.org/x"]}, 60),
        (
            {"a": ["timer:x?period=30d > direct:a", "direct:a > seda:b", "seda:b > https://erp.acme.org/x"]},
            60,
        ),
        ({"a": ["timer:x?period=30d > direct:close"], "b": ["direct:close > https://erp.acme.org/x"]}, 60),
        ({"a": ["timer:x > direct:b", "jms:queue:x > direct:b", "direct:b > https://erp.acme.org/x"]}, 35),
        ({"a": ["timer:x > https://erp.acme.org/x", "jms:queue:x > https://erp.acme.org/x"]}, 35),
        (
            {
                "a": [
                    "timer:x > direct:a",
                    "direct:a > direct:b",
                    "direct:b > direct:a https://erp.acme.org/x",
                ]
            },
            7,
        ),
        ({"a": ["direct:a > direct:b", "direct:b > direct:a https://erp.acme.org/x"]}, 35),
    ],
)
def test_routes_of_camel_that_call_each_other(folder: Folder, files: dict[str, list[str]], days: int) -> None:
    written = {f"{name}.camel.yaml": routes(*of) for name, of in files.items()}
    found = watches(folder(written))
    assert next(d for f, d in found.items() if "erp.acme.org" in f) == days


@pytest.mark.parametrize(
    "beside",
    [
        {"C.java": 'class C { void now() { template.sendBody("direct:close", 1); } }'},
        {
            "o.camel.yaml": "- from:\n    uri: jms:queue:x\n    steps:\n    - recipientList: {simple: '${header.to}'}\n"
        },
        {
            "o.camel.yaml": "- rest:\n    post:\n    - {path: /close, to: 'direct:close'}\n- from:\n    uri: timer:o\n"
        },
    ],
)
def test_a_route_of_camel_that_something_else_may_call(folder: Folder, beside: dict[str, str]) -> None:
    text = routes("timer:x > direct:close", "direct:close > https://erp.acme.org/x")
    found = watches(folder({"r.camel.yaml": text, **beside}))
    assert next(d for f, d in found.items() if "erp.acme.org" in f) == 35


def test_a_topic_that_is_written_by_the_clock(folder: Folder) -> None:
    text = routes("timer:x?period=30d > kafka:orders")
    assert watches(folder({"r.camel.yaml": text})) == {"camel/r > kafka [orders] (async/kafka)": 60}
    reader = routes("kafka:orders > https://erp.acme.org/x")
    found = watches(folder({"r.camel.yaml": text, "s.camel.yaml": reader}))
    assert found == {"camel/s > camel/r [orders] (async/kafka)": 60, "camel/s > erp.acme.org (sync/http)": 35}
    other = routes("timer:x?period=30d > kafka:orders", "jms:queue:x > kafka:orders")
    found = watches(folder({"r.camel.yaml": other, "s.camel.yaml": ""}))
    assert found["camel/r > kafka [orders] (async/kafka)"] == 60


def test_a_poll_of_camel_asks_by_its_own_clock(folder: Folder) -> None:
    begin = "sftp://files.acme.org/in?scheduler=quartz&scheduler.cron=0+0+2+1+*+?"
    found = watches(folder({"r.camel.yaml": routes(f"{begin} > https://erp.acme.org/x")}))
    assert found == {"camel/r > files.acme.org (file/sftp)": 62, "camel/r > erp.acme.org (sync/http)": 35}


def test_routes_of_java_that_begin_without_a_text(folder: Folder) -> None:
    text = """class R extends RouteBuilder { void configure() {
    onException(Exception.class).to("https://alarm.acme.org/x");
    from("timer:a?period=30d").to("https://erp.acme.org/a");
    from(incoming()).to("https://erp.acme.org/b");
    from("timer:c?period=30d", "jms:queue:c").to("https://crm.acme.org/c"); } }"""
    found = watches(folder({"p/src/main/java/R.java": text}))
    assert {f.split(" > ")[1].split(" ")[0]: d for f, d in found.items()} == {
        "alarm.acme.org": 35, "erp.acme.org": 60, "crm.acme.org": 60,
    }  # fmt: skip


def logic_app(*triggers: dict[str, Any], **more: Any) -> str:
    """A workflow that calls a URL, within its template."""
    call = {"type": "Http", "inputs": {"method": "GET", "uri": "https://erp.acme.org/close"}}
    definition = {
        "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#",
        "triggers": {f"t{n}": t for n, t in enumerate(triggers)}, "actions": {"call": call}, **more,
    }  # fmt: skip
    workflow = {
        "type": "Microsoft.Logic/workflows",
        "name": "close",
        "properties": {"definition": definition},
    }
    return json.dumps({"parameters": {"every": {"defaultValue": 3}}, "resources": [workflow]})


@pytest.mark.parametrize(
    ("recurrence", "days"),
    [
        ({"frequency": "Day", "interval": 1}, 7),
        ({"frequency": "Week", "interval": 2, "schedule": {"weekDays": ["Monday"]}}, 28),
        ({"frequency": "Month", "interval": 1}, 62),
        ({"frequency": "Month", "interval": "[parameters('every')]"}, 186),
        ({"frequency": "Month", "interval": "@parameters('often')"}, 124),
        ({"frequency": "Month", "interval": "@{utcNow()}"}, 35),
        ({"frequency": "Month", "interval": 1, "schedule": {"monthDays": [1, 15]}}, 34),
        ({"frequency": "Month", "interval": 1, "schedule": {"monthDays": [31]}}, 122),
        ({"frequency": "Month", "interval": 1, "schedule": {"monthDays": [-1]}}, 62),
        ({"frequency": "Month", "interval": 2, "schedule": {"monthDays": [1]}}, 124),
        (
            {
                "frequency": "Month",
                "interval": 1,
                "schedule": {"monthlyOccurrences": [{"day": "Monday", "occurrence": 1}]},
            },
            70,
        ),
        ({"frequency": "Year", "interval": 1}, 732),
        ({"frequency": "Fortnight", "interval": 1}, 35),
        ({}, 35),
    ],
)
def test_a_recurrence_of_logic_apps(folder: Folder, recurrence: dict[str, Any], days: int) -> None:
    trigger = {"type": "Recurrence", "recurrence": recurrence}
    text = logic_app(trigger, parameters={"often": {"type": "int", "defaultValue": 2}})
    assert list(watches(folder({"app.json": text})).values()) == [days]
    both = watches(folder({"app.json": logic_app(trigger, {"type": "Request", "inputs": {}})}))
    assert min(both.values()) >= 35


def test_a_workflow_that_looks_for_what_is_new(folder: Folder) -> None:
    name = "@parameters('$connections')['sftpwithssh']['connectionId']"
    look = {
        "type": "ApiConnection", "inputs": {"host": {"connection": {"name": name}}},
        "recurrence": {"frequency": "Month", "interval": 1},
    }  # fmt: skip
    found = watches(folder({"app.json": logic_app(look)}))
    assert sorted(found.values()) == [35, 62]
    assert found["logic-apps/close > erp.acme.org (sync/http)"] == 35


def function(*bindings: dict[str, str]) -> str:
    """A function with these bindings, and one by which it writes a blob."""
    return json.dumps(
        {"bindings": [*bindings, {"type": "blob", "direction": "out", "name": "b", "path": "bills/x"}]}
    )


SETTINGS = json.dumps({"Values": {"ERP_URL": "https://erp.acme.org/close", "at": "0 0 6 1 1 *"}})


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        ("0 */5 * * * *", 7),
        ("0 30 9 1 * *", 62),
        ("30 9 1 * *", 62),
        ("0 0 6 1 Jan *", 732),
        ("%at%", 732),
        ("%nowhere%", 35),
        ("30.00:00:00", 60),
        ("30:00:00", 60),
        ("01:00:00", 7),
        ("", 35),
    ],
)
def test_a_timer_of_azure_functions(folder: Folder, schedule: str, days: int) -> None:
    timer = {"type": "timerTrigger", "name": "t", "direction": "in", "schedule": schedule}
    files = {"host.json": "{}", "local.settings.json": SETTINGS, "close/function.json": function(timer)}
    assert list(watches(folder(files)).values()) == [days] * 2
    queue = {"type": "queueTrigger", "name": "q", "direction": "in", "queueName": "x"}
    both = watches(folder({**files, "other/function.json": function(queue)}))
    assert min(both.values()) >= 35


def test_a_function_of_code_may_use_the_settings_too(folder: Folder) -> None:
    timer = {"type": "timerTrigger", "name": "t", "direction": "in", "schedule": "0 0 6 * * *"}
    files = {"f/host.json": "{}", "f/local.settings.json": SETTINGS, "f/close/function.json": function(timer)}
    found = watches(folder({**files, "f/F.csproj": "<Project/>"}))
    assert found == {
        "azure-functions/f > azure-blob [bills] (sync/http)": 7, "azure-functions/f > erp.acme.org (sync/http)": 35,
    }  # fmt: skip


def test_an_orchestration_runs_when_its_starter_does(folder: Folder) -> None:
    timer = {"type": "timerTrigger", "name": "t", "direction": "in", "schedule": "0 0 6 1 * *"}
    starter = json.dumps({"bindings": [timer, {"type": "durableClient", "name": "s", "direction": "in"}]})
    activity = function({"type": "activityTrigger", "name": "a", "direction": "in"})
    found = watches(folder({"host.json": "{}", "start/function.json": starter, "do/function.json": activity}))
    assert list(found.values()) == [62]


YML = "stock:\n  base-url: https://stock.acme.org\n  at: 0 0 6 1 * *\ncrm.url: https://crm.acme.org\n"
CLIENT = """@Component class StockClient {
  @Value("${stock.base-url}") String url;
  List<Item> items() { return rest.getForObject(url, List.class); }
}
"""
JOB_OF_SPRING = """@Component class Nightly {
  private final StockClient stock;
  @Scheduled(%s)
  void run() { stock.items(); }
}
"""


def spring(folder: Folder, sources: dict[str, str], suffix: str = ".java") -> dict[str, int]:
    """The days for the flows of a program with these sources, by provider."""
    root = "app/src/main"
    files = {f"{root}/java/org/acme/{n}{'' if '.' in n else suffix}": t for n, t in sources.items()}
    found = watches(folder({f"{root}/resources/application.yml": YML, "app/pom.xml": "<project/>", **files}))
    return {f.split(" > ")[1].split(".")[0]: days for f, days in found.items()}


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ('cron = "0 0 2 * * *"', 7),
        ('cron = "0 0 2 1 * *", zone = "Europe/Berlin"', 62),
        ('cron = "${stock.at}"', 62),
        ('cron = "${stock.other:0 0 6 1 1 *}"', 732),
        ('cron = "${nowhere.at}"', 35),
        ('cron = "@monthly"', 62),
        ('cron = "-"', 35),
        ("cron = Plan.AT", 732),
        ("fixedRate = 30L * 24 * 60 * 60 * 1_000", 60),
        ("fixedDelay = 30, timeUnit = TimeUnit.DAYS, initialDelay = 1", 60),
        ('fixedRateString = "PT720H"', 60),
        ('fixedDelayString = "${stock.pause:30d}"', 60),
        ('fixedDelayString = "5000"', 7),
        ("initialDelay = 1000", 35),
        ("fixedRate = pause()", 35),
    ],
)
def test_a_scheduled_method_of_spring(folder: Folder, said: str, days: int) -> None:
    plan = 'class Plan { static final String AT = "0 0 6 " + "1 1 *"; }'
    found = spring(folder, {"StockClient": CLIENT, "Nightly": JOB_OF_SPRING % said, "Plan": plan})
    assert found == {"stock": days, "crm": 35}


def test_a_scheduled_method_of_kotlin(folder: Folder) -> None:
    client = """interface Stock { fun items(): List<Item> }
@Component class HttpStock(@Value("\\${stock.base-url}") private val url: String) : Stock { override fun items() = get(url) }
"""
    times = 'package org.acme\n\nconst val AT = "0 0 6 1 * *"\n'
    job = """@Component class Nightly(private val stock: Stock) {
  @Scheduled(cron = AT) @SchedulerLock(name = "nightly") fun run() { stock.items() }
}
"""
    found = spring(folder, {"HttpStock": client, "Nightly": job, "Times": times}, ".kt")
    assert found == {"stock": 62, "crm": 35}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "Api",
            '@RestController class Api { StockClient stock; @GetMapping("/x") void x() { stock.items(); } }',
        ),
        ("Unknown", "class Unknown { StockClient stock; void x() { stock.items(); } }"),
        ("Heard", "class Heard { StockClient stock; @KafkaListener void x() { stock.items(); } }"),
        ("Other", 'class Other { @Value("${stock.base-url:}") String url; }'),
        ("beans.xml", '<beans><bean class="X"><property value="${stock.base-url}"/></bean></beans>'),
        ("Http", "@Configuration class Http { @Bean RestClient stock(StockClient c) { return null; } }"),
        ("../../../../../lib/src/main/java/Lib.java", 'class Lib { @Value("${stock.baseUrl}") String url; }'),
    ],
)
def test_what_something_else_may_start_is_not_only_scheduled(folder: Folder, name: str, text: str) -> None:
    nightly = JOB_OF_SPRING % 'cron = "0 0 6 * * *"'
    assert spring(folder, {"StockClient": CLIENT, "Nightly": nightly, name: text})["stock"] == 35


def test_settings_that_stand_in_a_class_of_their_own(folder: Folder) -> None:
    held = '@ConfigurationProperties(prefix = "stock") record StockProperties(String baseUrl) {}'
    client = "@Component class StockClient { StockProperties stock; void items() {} }"
    app = "@SpringBootApplication @EnableConfigurationProperties(StockProperties.class) class App { }"
    nightly = JOB_OF_SPRING % 'cron = "0 0 6 1 * *"'
    sources = {"StockProperties": held, "StockClient": client, "App": app, "Nightly": nightly}
    assert spring(folder, sources) == {"stock": 62, "crm": 35}
    feign = (
        '@FeignClient(name = "stock", url = "${stock.base-url}") interface StockClient { }  // "${crm.url}"'
    )
    assert spring(folder, {**sources, "StockProperties": "class No {}", "StockClient": feign})["stock"] == 62


def test_of_two_methods_each_counts(folder: Folder) -> None:
    nightly = JOB_OF_SPRING % 'cron = "0 0 6 * * *"'
    yearly = nightly.replace("Nightly", "Yearly").replace("0 0 6 * * *", "0 0 6 1 1 *")
    assert spring(folder, {"StockClient": CLIENT, "Nightly": nightly, "Yearly": yearly})["stock"] == 732
