"""CloudFormation templates: names in place of references, streams, what a delivery ends in, descriptions within."""

from collections.abc import Callable
from pathlib import Path

import pytest

from levada.landscape.mapping import map_folders

HEAD = "AWSTemplateFormatVersion: '2010-09-09'\n"
TABLE = "  Orders:\n    Type: AWS::DynamoDB::Table\n    Properties: {TableName: !Sub '${Shop}-Orders'}\n"

CASES: dict[str, tuple[dict[str, str], set[str]]] = {
    "a table that is named, not referred to, and one called otherwise": (
        {
            "shop.yaml": f"{HEAD}Resources:\n{TABLE}"
            "  List:\n    Type: AWS::Lambda::Function\n    Properties:\n      FunctionName: !Sub '${Shop}-List'\n"
            "      Environment: {Variables: {TABLE: !Sub '${Shop}-Orders', OTHER: !Sub '${Shop}-Carts', NAME: !Sub '${Shop}-List'}}\n"
        },
        {"list > orders (db/dynamodb)"},
    ),
    "a stream of a table, in the long form of a list": (
        {
            "shop.yaml": f"{HEAD}Resources:\n{TABLE}  Index:\n    Type: AWS::Lambda::Function\n"
            "  Stream:\n    Type: AWS::Lambda::EventSourceMapping\n    Properties:\n      EventSourceArn: !GetAtt\n        - Orders\n        - StreamArn\n"
            "      FunctionName: !GetAtt\n        - Index\n        - Arn\n"
        },
        {"index > orders (async/dynamodb)"},
    ),
    "where a delivery stream ends, and databases of other makes": (
        {
            "shop.yaml": f"{HEAD}Resources:\n  Lake: {{Type: AWS::S3::Bucket}}\n  Graph: {{Type: AWS::Neptune::DBCluster}}\n"
            "  Find: {Type: AWS::OpenSearchService::Domain}\n  Cache: {Type: AWS::ElastiCache::CacheCluster, Properties: {Engine: redis}}\n"
            "  Feed:\n    Type: AWS::KinesisFirehose::DeliveryStream\n    Properties:\n      ExtendedS3DestinationConfiguration: {BucketARN: !GetAtt Lake.Arn}\n"
            "  Ask:\n    Type: AWS::Lambda::Function\n    Properties:\n      Environment:\n        Variables: {A: !GetAtt Graph.Endpoint, B: !GetAtt Find.DomainEndpoint, C: !GetAtt Cache.RedisEndpoint.Address}\n"
        },
        {"feed > lake (file/s3)", "ask > graph (db/neptune)", "ask > find (db/opensearch)", "ask > cache (db)"},
    ),
    "a template with an interface description within": (
        {
            "shop/template.yaml": f"{HEAD}Resources:\n  Api:\n    Type: AWS::Serverless::Api\n    Properties:\n      DefinitionBody:\n        swagger: '2.0'\n        paths: {{}}\n"
            "  Pay:\n    Type: AWS::Serverless::Function\n    Properties:\n      Events:\n        Call: {Type: Api, Properties: {Method: post, Path: /pay, RestApiId: !Ref Api}}\n"
        },
        {"shop/api > shop/pay [POST /pay] (sync/http)"},
    ),
    "a state machine that calls what only a parameter names": (
        {
            "shop.yaml": f"{HEAD}Parameters:\n  PayFunction: {{Type: 'AWS::SSM::Parameter::Value<String>'}}\n  Stage: {{Type: String}}\nResources:\n"
            "  Book:\n    Type: AWS::StepFunctions::StateMachine\n    Properties:\n      DefinitionString: !Sub |\n        {{\"States\": {{\"Pay\": {{\"Resource\": \"${PayFunction}\", \"Comment\": \"${Stage}\"}}}}}}\n".replace("{{", "{").replace("}}", "}")
        },
        {"book > unresolved:payfunction (sync/lambda)"},
    ),
    "a template of tests": (
        {
            "orders/template.yaml": f"{HEAD}Resources:\n{TABLE}",
            "orders/src/test/resources/env.template.yaml": f"{HEAD}Resources:\n{TABLE}  T: {{Type: AWS::Lambda::Function, Properties: {{Environment: {{Variables: {{A: !Ref Orders}}}}}}}}\n",
        },
        set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_reads_it_right(name: str, folder: Callable[[dict[str, str]], Path]) -> None:
    files, expected = CASES[name]
    assert set(map_folders([folder(files)]).network.flows) == expected
