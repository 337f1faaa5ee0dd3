"""Terraform and CloudFormation: modules, nested stacks, and what one hands another."""

from collections.abc import Callable
from pathlib import Path

import pytest

from levada.landscape.importers._hcl import pairs, read_hcl
from levada.landscape.mapping import Mapped, map_folders

Folder = Callable[[dict[str, str]], Path]

QUEUE = """
resource "aws_sqs_queue" "this" {
  name = "${var.name}-${local.stage}"
}
locals { stage = "prod" }
variable "name" {}
output "arn" { value = aws_sqs_queue.this.arn }
"""
ROOT = """
module "orders" {
  source = "../modules/queue"
  name   = "orders"
}
module "parcels" {
  source = "../modules/queue"
  name   = "parcels"
}
module "bill" {
  source    = "../modules/worker"
  queue_arn = module.orders.arn
  erp_url   = "https://${var.erp_host}/api" # a comment with a } brace
}
variable "erp_host" {}
"""
WORKER = """
variable "queue_arn" {}
variable "erp_url" { default = "https://elsewhere.acme.org" }
resource "aws_lambda_function" "worker" {
  for_each = toset(["a", "b"])
  environment {
    variables = { ERP_URL = var.erp_url, OTHER_URL = data.x.y.z }
  }
}
resource "aws_lambda_event_source_mapping" "m" {
  event_source_arn = var.queue_arn
  function_name    = aws_lambda_function.worker["a"].arn
}
"""


def _map(files: dict[str, str], folder: Folder) -> Mapped:
    mapped = map_folders([folder(files)])
    assert not [f for f in mapped.network.findings if f.kind == "malformed-file"]
    return mapped


def test_modules_are_read_in_each_of_their_uses(folder: Folder) -> None:
    files = {
        "prod/main.tf": ROOT, "prod/terraform.tfvars": 'erp_host = "erp.acme.org"\n',
        "modules/queue/main.tf": QUEUE, "modules/worker/main.tf": WORKER,
    }  # fmt: skip
    mapped = _map(files, folder)
    assert set(mapped.network.flows) == {
        "prod/bill.worker > prod/orders (async/sqs)",
        "prod/bill.worker > erp.acme.org (sync/http)",
    }
    assert {n.name for n in mapped.network.nodes.values()} >= {"orders-prod", "parcels-prod", "worker"}
    told = {(f.kind, f.text) for f in mapped.network.findings}
    assert {k for k, _ in told} == {"unresolved-count", "unresolved-address"}
    texts = " ".join(t for _, t in told)
    assert "for_each = toset" in texts
    assert "OTHER_URL is computed" in texts


def test_modules_that_call_each_other_end(folder: Folder) -> None:
    a = 'module "b" {\n  source = "../b"\n  x = module.b.y\n}\noutput "y" { value = module.b.y }\nresource "aws_sqs_queue" "q" {}\n'
    b = 'module "a" {\n  source = "../a"\n}\noutput "y" { value = module.a.y }\nlocals { l = local.l }\n'
    assert _map({"a/main.tf": a, "b/main.tf": b}, folder).network.nodes


def test_modules_that_are_not_at_hand(folder: Folder) -> None:
    text = (
        'module "q" {\n  source = "terraform-aws-modules/sqs/aws"\n}\n'
        'module "f" {\n  source = "terraform-aws-modules/lambda/aws"\n  environment_variables = { Q = module.q.queue_url }\n}\n'
        'module "z" {\n  source = "git::https://git.acme.org/z"\n}\n'
    )
    mapped = _map({"main.tf": text}, folder)
    assert set(mapped.network.flows) == {"f > q (async/sqs)"}
    assert [(f.kind, f.line) for f in mapped.network.findings] == [("unresolved-module", 8)]


def test_two_resources_of_one_name_stay_two(folder: Folder) -> None:
    text = 'resource "aws_sqs_queue" "orders" {}\nresource "aws_dynamodb_table" "orders" {}\n'
    assert set(_map({"main.tf": text}, folder).network.nodes) == {"orders-sqs_queue", "orders-dynamodb_table"}


def test_hcl_is_read_over_nesting_comments_and_here_documents() -> None:
    root = read_hcl(
        'a "b" "c" {\n  x = "}${f("}")}" /* { */\n  y = <<EOT\n}\nEOT\n  z = [1,\n 2] # }\n  in { q = cond ?\n 1 : 2 }\n}\nd = 1\n'
    )
    block = root.blocks[0]
    assert (block.type, block.labels, block.line) == ("a", ["b", "c"], 1)
    assert block.attributes == {"x": '"}${f("}")}"', "y": "<<EOT\n}\nEOT", "z": "[1,\n 2]"}
    assert block.blocks[0].attributes == {"q": "cond ?\n 1 : 2"}
    assert root.attributes == {"d": "1"}
    assert pairs('{ A = "x", "B" : y\n C = { D = 1 } }') == {"A": '"x"', "B": "y", "C": "{ D = 1 }"}


@pytest.mark.parametrize("broken", ["a {", 'a "', "= = {", "x = <<E\n", "}" * 1000, "a {" * 1000])
def test_of_broken_hcl_what_can_be_read_is_read(broken: str) -> None:
    assert read_hcl(f"d = 1\n{broken}").attributes["d"] == "1"


SAM = """AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  Bus: {Type: 'AWS::SSM::Parameter::Value<String>', Default: '/shop/{Stage}/bus'}
  Lost: {Type: String}
Globals: {Function: {Environment: {Variables: {TABLE: !Ref Table}}}}
Resources:
  Table: {Type: 'AWS::DynamoDB::Table'}
  Api: {Type: 'AWS::Serverless::Api'}
  Queues: {Type: 'AWS::CloudFormation::Stack', Properties: {TemplateURL: ./queues.yaml, Parameters: {Who: !Ref Table}}}
  OnOrder:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {Q: !GetAtt Queues.Outputs.Url, ERP_URL: 'https://erp.acme.org/x', EVENT_BUS: !Ref Lost}}
      Events:
        Placed: {Type: EventBridgeRule, Properties: {EventBusName: !Ref Bus, Pattern: {detail-type: [OrderPlaced]}}}
        Get: {Type: Api, Properties: {RestApiId: !Ref Api, Path: '/orders/{id}', Method: get}}
        Night: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [aws.s3]}
      Targets: [{Arn: !GetAtt OnOrder.Arn, DeadLetterConfig: {Arn: !GetAtt Dead.Arn}}]
  Dead: {Type: 'AWS::SQS::Queue'}
"""


def test_stacks_that_hand_each_other_what_they_made(folder: Folder) -> None:
    files = {
        "orders/template.yaml": SAM,
        "orders/queues.yaml": "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  Jobs: {Type: 'AWS::SQS::Queue'}\nOutputs:\n  Url: {Value: !Ref Jobs}\n",
        "platform/template.yaml": "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  Events: {Type: 'AWS::Events::EventBus'}\n"
        "  Name: {Type: 'AWS::SSM::Parameter', Properties: {Name: !Sub '/shop/${Env}/bus', Value: !Ref Events}}\n",
    }
    assert set(_map(files, folder).network.flows) == {
        "orders/onorder > orders/table (db/dynamodb)",
        "orders/onorder > orders/queues.jobs (async/sqs)",
        "orders/onorder > erp.acme.org (sync/http)",
        "orders/onorder > platform/events [OrderPlaced] (async/eventbridge)",
        "orders/onorder > unresolved:lost (async/eventbridge)",
        "orders/onorder > aws-eventbridge [aws.s3] (async/eventbridge)",
        "orders/api > orders/onorder [GET /orders/{id}] (sync/http)",
    }


def test_stacks_that_nest_each_other_end(folder: Folder) -> None:
    text = "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  N: {Type: 'AWS::CloudFormation::Stack', Properties: {TemplateURL: ./%s.yaml}}\n  Q: {Type: 'AWS::SQS::Queue'}\n"
    assert _map({"a.yaml": text % "b", "b.yaml": text % "a"}, folder).network.nodes


def test_exports_of_another_stack(folder: Folder) -> None:
    head = "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n"
    files = {
        "base.yaml": head + "  Q: {Type: 'AWS::SQS::Queue'}\nOutputs: {O: {Value: !GetAtt Q.Arn, Export: {Name: !Sub '${AWS::StackName}-q'}}}\n",
        "app.yaml": head + "  F: {Type: 'AWS::Lambda::Function', Properties: {Environment: {Variables: {Q: {'Fn::ImportValue': {'Fn::Sub': '${Base}-q'}}}}}}\n",
    }  # fmt: skip
    assert set(_map(files, folder).network.flows) == {"app/f > base/q (async/sqs)"}
