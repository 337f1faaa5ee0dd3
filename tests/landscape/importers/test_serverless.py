"""Services of the Serverless Framework: events, resources, variables, files beside them, other clouds."""

from collections.abc import Callable
from pathlib import Path

from levada.landscape.mapping import map_folders

SERVICE = """
service: shop
custom:
  table: orders-${self:provider.stage}
provider:
  name: aws
  stage: ${opt:stage, 'dev'}
  environment:
    TABLE: ${self:custom.table}
functions:
  place:
    handler: a.place
    events:
      - httpApi: 'POST /orders'
      - http: {path: orders, method: put}
  ship:
    handler: a.ship
    environment: {URL: 'https://carrier.acme.org/v1', LABELS: 'arn:aws:sqs:eu-west-1:1:labels'}
    events:
      - sqs: {arn: !GetAtt Queue.Arn}
      - sqs: arn:aws:sqs:${self:provider.region}:1:returns
  tidy:
    handler: a.tidy
    events:
      - schedule: rate(1 day)
      - stream: {type: dynamodb, arn: !GetAtt [Orders, StreamArn]}
  tell: ${file(more.yml):tell}
stepFunctions:
  stateMachines:
    saga:
      definition: {States: {A: {Resource: !GetAtt PlaceLambdaFunction.Arn}}}
resources:
  - Resources:
      Orders: {Type: AWS::DynamoDB::Table, Properties: {TableName: '${self:custom.table}'}}
  - ${file(more.yml):resources}
"""
MORE = """
tell:
  handler: a.tell
  environment: {TABLE: none}
  events:
    - sns: orders-placed
    - s3: receipts
    - eventBridge: {pattern: {source: [billing]}}
resources:
  Resources:
    Queue: {Type: AWS::SQS::Queue}
"""


def test_a_service_is_read_with_what_lies_beside_it(folder: Callable[[dict[str, str]], Path]) -> None:
    mapped = map_folders([folder({"shop/serverless.yml": SERVICE, "shop/more.yml": MORE})])
    assert set(mapped.network.flows) == {
        "shop/api > shop/place [POST /orders] (sync/http)",
        "shop/api > shop/place [put /orders] (sync/http)".replace("put", "PUT"),
        "shop/place > shop/orders (db/dynamodb)",
        "shop/ship > shop/queue (async/sqs)",
        "shop/ship > sqs/returns (async/sqs)",
        "shop/ship > sqs/labels (async/sqs)",
        "shop/ship > carrier.acme.org (sync/http)",
        "shop/ship > shop/orders (db/dynamodb)",
        "shop/tidy > shop/orders (async/dynamodb)",
        "shop/tidy > shop/orders (db/dynamodb)",
        "shop/tell > shop/orders-placed (async/sns)",
        "shop/tell > shop/receipts (async/s3)",
        "shop/tell > aws-eventbridge [billing] (async/eventbridge)",
        "shop/saga > shop/place (sync/lambda)",
    }
    assert mapped.network.flows["shop/tidy > shop/orders (db/dynamodb)"].attributes["schedule"]
    assert {e.source for f in mapped.network.flows.values() for e in f.evidence} == {"shop/serverless.yml"}
    assert not mapped.network.findings


def test_a_function_called_as_its_gateway_and_its_topic(folder: Callable[[dict[str, str]], Path]) -> None:
    text = (
        "service: shop\nprovider: {name: aws}\nfunctions:\n  api: {handler: a.b, events: [{http: 'GET /x'}]}\n"
        "  note: {handler: a.b, events: [{sns: note}, {s3: 'in-${opt:stage}-files'}]}\n"
    )
    assert set(map_folders([folder({"serverless.yml": text})]).network.flows) == {
        "shop/gateway > shop/api [GET /x] (sync/http)",
        "shop/note > shop/note-topic (async/sns)",
        "shop/note > shop/in-files (async/s3)",
    }


def test_a_service_on_another_cloud_is_told(folder: Callable[[dict[str, str]], Path]) -> None:
    text = "service: shop\nprovider: {name: azure}\nfunctions: {a: {handler: a.b, events: [{http: true}]}}\n"
    mapped = map_folders(
        [folder({"serverless.yml": text, "b/serverless.yml": "service: x\nprovider: {name: aws\n"})]
    )
    assert not mapped.network.flows
    assert sorted(f.kind for f in mapped.network.findings) == ["malformed-file", "unread-provider"]
