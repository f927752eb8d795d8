"""Where MiniStack 1.5.33 disagrees with AWS on something `infra/template.yaml` relies on.

The template must be the same file on AWS and here, so the emulator is corrected, never the template.
Every correction names the AWS behaviour it restores. Each replaces a symbol of the pinned release by
name: with another release `apply` fails at start instead of silently correcting nothing.

Not corrected, and therefore not proven by the local stack: `dynamodb:LeadingKeys` is not supplied for
transactions and batches, `sts:TagSession` is checked in the trust policy only, attachment and policy-size quotas and
the maximum session duration are not enforced, `AttachUserPolicy` accepts a missing policy, a schedule
in the past is accepted, point-in-time recovery is not switched on by CloudFormation, root credentials
(`test`, or an account id) are accepted without a signature.
"""

import base64
import binascii
import contextvars
import json
import logging
import re
import xml.etree.ElementTree as ElementTree

import cfn_corrections

logger = logging.getLogger("corrections")

_CONDITION_KEYS = contextvars.ContextVar("curfew_condition_keys", default={})
_PASSED_ROLE = contextvars.ContextVar("curfew_passed_role", default=None)

_LAMBDA_URI = re.compile(r"/functions/(arn:[^/]+)/invocations$")


def apply(tick_seconds):
    """Installs every correction into the imported MiniStack modules."""
    _fire_timers_promptly(tick_seconds)
    _name_resources_as_aws_does()
    _supply_condition_keys_and_check_passed_roles()
    _check_that_a_timer_may_invoke()
    _import_http_api_bodies()
    _page_authorization_details()
    _resolve_keys_of_every_request()
    _supply_leading_keys()
    cfn_corrections.apply()


def _replace(module, name, make):
    """Replaces `module.name` with `make(original)`; an unknown name is an error (another release)."""
    setattr(module, name, make(getattr(module, name)))


def _fire_timers_promptly(tick_seconds):
    """AWS fires within the minute. MiniStack looks every 10 s, and a cron rule first seen inside its own
    minute never fires; a short tick makes both windows small."""
    from ministack.services import eventbridge, scheduler

    _replace(scheduler, "_SCHEDULE_TICK_INTERVAL", lambda _: tick_seconds)
    _replace(eventbridge, "_SCHEDULER_TICK_INTERVAL", lambda _: tick_seconds)


def _name_resources_as_aws_does():
    """The ARN a policy is checked against: a schedule's has its group, a rule's on the default bus has no
    bus, a user's or role's has its path.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridgescheduler.html
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
    """
    from ministack.core import iam_actions

    def corrected(original):
        def extract_resource_arn(service, method, path, headers, body, query_params, region, account_id):
            arn = original(service, method, path, headers, body, query_params, region, account_id)
            _CONDITION_KEYS.set({})
            _PASSED_ROLE.set(None)
            if service == "scheduler":
                request = _json_object(body)
                _PASSED_ROLE.set((request.get("Target") or {}).get("RoleArn"))
                group = request.get("GroupName") or _first(query_params, "groupName") or "default"
                return arn.replace(":schedule/default/", f":schedule/{group}/")
            if service == "events":
                request = _json_object(body)
                targets = [target.get("Arn") for target in request.get("Targets") or []]
                if targets:
                    _CONDITION_KEYS.set({"events:targetarn": targets})
                rule = request.get("Rule")
                if rule:  # targets are put on a rule and removed from it
                    bus = request.get("EventBusName") or "default"
                    arn = f"arn:aws:events:{region}:{account_id}:rule/{bus}/{rule}"
                return arn.replace(":rule/default/", ":rule/")
            if service == "kms":
                # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
                algorithm = _json_object(body).get("SigningAlgorithm")
                if algorithm:
                    _CONDITION_KEYS.set({"kms:signingalgorithm": algorithm})
            if service == "iam":
                policy = _first(query_params, "PolicyArn")
                if policy:
                    _CONDITION_KEYS.set({"iam:policyarn": policy})
                entity = _iam_entity(arn, account_id)
                return entity["Arn"] if entity else arn
            return arn

        return extract_resource_arn

    _replace(iam_actions, "extract_resource_arn", corrected)


def _supply_condition_keys_and_check_passed_roles():
    """`iam:PermissionsBoundary` and `iam:PolicyARN` for requests on users and roles, `events:TargetArn` for
    targets put on a rule, `kms:SigningAlgorithm` for what is to be signed, `aws:ResourceTag` of keys, and
    `iam:PassRole` for the role a schedule is given.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/security_iam_id-based-policies.html
    """
    from ministack.core import iam_evaluator
    from ministack.core.responses import get_account_id
    from ministack.services.tagging import resource_tags

    def corrected(original):
        def enforce(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
            keys = dict(service_context or {})
            keys.update(_CONDITION_KEYS.get())
            if service == "iam":
                boundary = (_iam_entity(resource_arn, get_account_id()) or {}).get("PermissionsBoundary")
                if boundary:
                    keys["iam:permissionsboundary"] = boundary
            if service == "kms":
                # MiniStack looks tags up where an identity's own policy names them, not where its boundary does.
                for name, value in (resource_tags(resource_arn) or {}).items():
                    keys[f"aws:resourcetag/{name}".lower()] = value
            denied = original(access_key_id, iam_action, service, region, resource_arn=resource_arn,
                              service_context=keys)
            passed = _PASSED_ROLE.get()
            if denied is None and passed and iam_action in ("scheduler:CreateSchedule", "scheduler:UpdateSchedule"):
                return original(access_key_id, "iam:PassRole", "iam", region, resource_arn=passed,
                                service_context={"iam:passedtoservice": "scheduler.amazonaws.com"})
            return denied

        return enforce

    _replace(iam_evaluator, "enforce", corrected)


def _check_that_a_timer_may_invoke():
    """A schedule invokes with its target's role, a rule by the function's resource policy; where neither
    allows it AWS does not invoke.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """
    from ministack.services import eventbridge

    def corrected(original):
        def _invoke_target(target, event, rule, view=None):
            arn = target.get("Arn", "")
            if ":lambda:" in arn and event.get("Source") in ("aws.scheduler", "aws.events"):
                try:
                    allowed = (_role_may_invoke(target.get("RoleArn", ""), rule, arn)
                               if event["Source"] == "aws.scheduler"
                               else _rule_may_invoke((event.get("Resources") or [""])[0], arn))
                except Exception:
                    logger.exception("could not decide whether %s may be invoked", arn)
                    allowed = False
                if not allowed:
                    logger.warning("%s of %s is not allowed to invoke %s", event["Source"], rule.get("Name"), arn)
                    return None
            return original(target, event, rule, view)

        return _invoke_target

    _replace(eventbridge, "_invoke_target", corrected)


def _role_may_invoke(role_arn, schedule, function_arn):
    from ministack.core import iam_evaluator as evaluator

    region, account = function_arn.split(":")[3:5]
    role = _iam_entity(role_arn, account)
    if role is None:
        return False
    # For a trust policy the source of a schedule's request is its group.
    group = f"arn:aws:scheduler:{region}:{account}:schedule-group/{schedule['GroupName']}"
    assume = _request(schedule["Arn"], account, "sts:AssumeRole", role_arn,
                      {"aws:sourcearn": group, "aws:sourceaccount": account})
    trust = json.loads(role["AssumeRolePolicyDocument"])["Statement"]
    trust = {"Statement": [{**statement, "Resource": role_arn} for statement in trust]}
    if evaluator.evaluate_resource_policy(trust, assume, service="scheduler.amazonaws.com").decision != "Allow":
        return False
    invoke = _request(role_arn, account, "lambda:InvokeFunction", function_arn, {})
    return evaluator.evaluate(invoke, evaluator._gather_role_policies(role["RoleName"], account)).decision == "Allow"


def _rule_may_invoke(rule_arn, function_arn):
    from ministack.core import iam_evaluator as evaluator
    from ministack.services import lambda_svc

    found = lambda_svc.function_policy_for_arn(function_arn)
    if found is None:
        return False
    account = function_arn.split(":")[4]
    invoke = _request(rule_arn, account, "lambda:InvokeFunction", function_arn,
                       {"aws:sourcearn": rule_arn, "aws:sourceaccount": account})
    return evaluator.evaluate_resource_policy(found[0], invoke, service="events.amazonaws.com").decision == "Allow"


def _request(principal, account, action, resource, keys):
    from ministack.core.iam_evaluator import EvalContext

    return EvalContext(principal_arn=principal, principal_type="AssumedRole", principal_account=account,
                       action=action, resource_arn=resource, region="", service_context=keys)


def _import_http_api_bodies():
    """`AWS::ApiGatewayV2::Api` with an OpenAPI `Body`, which is what SAM makes of `AWS::Serverless::HttpApi`:
    every operation becomes a route with its Lambda integration.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html
    """
    from ministack.services import apigateway
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]

    def create(original):
        def wrapped(logical_id, props, stack_name):
            api_id, attributes = original(logical_id, props, stack_name)
            _import_body(apigateway, api_id, props.get("Body"))
            return api_id, attributes

        return wrapped

    def update(original):
        def wrapped(physical_id, old_props, new_props, stack_name, logical_id=None):
            api_id, attributes = original(physical_id, old_props, new_props, stack_name, logical_id)
            if new_props.get("Body"):
                apigateway._routes[api_id] = {}
                apigateway._integrations[api_id] = {}
                _import_body(apigateway, api_id, new_props["Body"])
            return api_id, attributes

        return wrapped

    handlers["create"] = create(handlers["create"])
    handlers["update"] = update(handlers["update"])


def _import_body(apigateway, api_id, body):
    for path, operations in ((body or {}).get("paths") or {}).items():
        for method, operation in operations.items():
            integration = operation.get("x-amazon-apigateway-integration")
            if not integration:
                continue
            function = _LAMBDA_URI.search(integration["uri"])
            if function is None:
                raise ValueError(f"integration `{integration['uri']}` of `{method} {path}` is not a Lambda function")
            _, _, made = apigateway._create_integration(api_id, {
                "integrationType": "AWS_PROXY",
                "integrationUri": function.group(1),
                "payloadFormatVersion": integration.get("payloadFormatVersion", "2.0"),
            })
            verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            route = "$default" if path in ("$default", "/$default") else f"{verb} {path}"
            apigateway._create_route(api_id, {
                "routeKey": route,
                "target": f"integrations/{json.loads(made)['integrationId']}",
            })


_IAM = "{https://iam.amazonaws.com/doc/2010-05-08/}"

# What a page is made of, in this order.
_DETAIL_LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


def _page_authorization_details():
    """An inventory comes in pages of `MaxItems` (100, if not said) and goes on behind a `Marker`; MiniStack
    answers with all of it at once, whatever is asked for. A marker names the last item, so that what is
    made or deleted between two pages moves no other item over their border.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
    """
    from ministack.services import iam

    def corrected(original):
        def details(params):
            try:
                limit = int(_first(params, "MaxItems") or 100)
                after = _read_marker(_first(params, "Marker"))
            except ValueError:
                return iam._error(400, "ValidationError", "MaxItems or Marker is not valid")
            if not 1 <= limit <= 1000:
                return iam._error(400, "ValidationError", "MaxItems must be between 1 and 1000")
            status, headers, body = original(params)
            return status, headers, _cut_to_a_page(body, after, limit)

        return details

    handlers = iam._IAM_HANDLERS
    handlers["GetAccountAuthorizationDetails"] = corrected(handlers["GetAccountAuthorizationDetails"])


def _cut_to_a_page(body, after, limit):
    ElementTree.register_namespace("", _IAM.strip("{}"))
    root = ElementTree.fromstring(body)
    result = root.find(f"{_IAM}GetAccountAuthorizationDetailsResult")
    lists = [result.find(f"{_IAM}{name}") for name in _DETAIL_LISTS]
    # All that is after the marker, in an order that does not change.
    rest = sorted((order, member.find(f"{_IAM}Arn").text, member)
                  for order, members in enumerate(lists) for member in members
                  if after is None or [order, member.find(f"{_IAM}Arn").text] > after)
    page, more = rest[:limit], len(rest) > limit
    for members in lists:
        members[:] = []
    for order, _, member in page:
        lists[order].append(member)
    result.find(f"{_IAM}IsTruncated").text = "true" if more else "false"
    if more:
        last = json.dumps(page[-1][:2]).encode()
        ElementTree.SubElement(result, f"{_IAM}Marker").text = base64.urlsafe_b64encode(last).decode()
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def _read_marker(marker):
    """Where the page before ended: its list and its last ARN. A `ValueError`, if it is none of ours."""
    if not marker:
        return None
    try:
        order, arn = json.loads(base64.urlsafe_b64decode(marker))
    except (binascii.Error, TypeError) as error:
        raise ValueError(marker) from error
    return [order, arn]


def _iam_entity(arn, account_id):
    """The stored user or role an IAM ARN names, or None."""
    from ministack.services import iam

    kind, _, rest = arn.rpartition(":")[2].partition("/")
    store = {"user": iam._users, "role": iam._roles}.get(kind)
    return store.get_scoped(account_id, None, rest.rsplit("/", 1)[-1]) if store is not None and rest else None


def _resolve_keys_of_every_request():
    """`aws:SecureTransport` is true: functions reach AWS by HTTPS alone, and the local stack by plain HTTP on
    this machine's own address, where a policy that wants encrypted connections would refuse everybody.
    `aws:PrincipalArn` of a role's session is the role.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
    """
    from ministack.core import iam_evaluator
    from ministack.services import iam

    def corrected(original):
        def resolve(key, ctx):
            name = key.lower()
            if name == "aws:securetransport":
                return "true"
            if name == "aws:principalarn" and ":assumed-role/" in ctx.principal_arn:
                role = iam_evaluator._role_name_from_assumed_arn(ctx.principal_arn)
                found = iam._roles.get_scoped(ctx.principal_account, None, role)
                return found["Arn"] if found else ctx.principal_arn
            return original(key, ctx)

        return resolve

    _replace(iam_evaluator, "_resolve_condition_key", corrected)


# `name = :value` or `#name = :value`: how a query names the one partition it reads. Nothing else can be written there.
_PARTITION = re.compile(r"(?:^|[\s(])(#?\w+)\s*=\s*(:\w+)")


def _supply_leading_keys():
    """`dynamodb:LeadingKeys`, the partition a request reads or writes. Of an index, it is the index's own.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    from ministack.core import iam_actions

    def corrected(original):
        def dynamodb_service_context(body):
            context = original(body)
            keys = _leading_keys(_json_object(body))
            return {**context, "dynamodb:leadingkeys": keys} if keys else context

        return dynamodb_service_context

    _replace(iam_actions, "dynamodb_service_context", corrected)


def _leading_keys(request):
    """The partitions a request on one table names; none, if it names none in a way that is known."""
    from ministack.services import dynamodb

    table = dynamodb._tables.get(str(request.get("TableName") or "").rpartition("/")[2])
    if table is None:
        return []
    schema = table["KeySchema"]
    for index in (table.get("GlobalSecondaryIndexes") or []) + (table.get("LocalSecondaryIndexes") or []):
        if index["IndexName"] == request.get("IndexName"):
            schema = index["KeySchema"]
    partition = next(key["AttributeName"] for key in schema if key["KeyType"] == "HASH")
    written = (request.get("Key") or request.get("Item") or {}).get(partition)
    if written is not None:
        return list(written.values())
    names, values = (request.get(f"ExpressionAttribute{kind}") or {} for kind in ("Names", "Values"))
    for name, value in _PARTITION.findall(request.get("KeyConditionExpression") or ""):
        if names.get(name, name) == partition and value in values:
            return list(values[value].values())
    return []


def _json_object(body):
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _first(query_params, name):
    value = query_params.get(name)
    return value[0] if isinstance(value, list) and value else value
