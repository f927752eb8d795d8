"""What MiniStack 1.5.33's CloudFormation lacks of what `infra/template.yaml` asks for.

Applied by `aws_corrections`, which says what corrections are for. Two kinds of them: types and properties
whose service is there and only not reached from a template, and types that it takes and does nothing for.
"""

import json
from xml.etree.ElementTree import Element, SubElement, tostring

# Taken and remembered, and nothing else: what they do shows in a console that the local stack does not have.
#
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-querydefinition.html
WITHOUT_EFFECT = ("AWS::Logs::QueryDefinition",)


def apply():
    """Installs the missing types and properties into the imported MiniStack."""
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS
    bucket = handlers["AWS::S3::Bucket"]
    for step in ("create", "update"):
        bucket[step] = _with_all_bucket_properties(bucket[step])
    _add(handlers, "AWS::Events::EventBusPolicy", _put_bus_statement, _update_bus_statement, _remove_bus_statement)
    for name in WITHOUT_EFFECT:
        _add(handlers, name, _remember, lambda physical_id, _old, _new, _stack: (physical_id, {}), _forget)
    _hear_bus_policies()
    _take_alarms_on_expressions(provisioners)


def _add(handlers, name, create, update, delete):
    if name in handlers:
        raise SystemExit(f"MiniStack knows {name} by now: take its correction out of cfn_corrections.py")
    handlers[name] = {"create": create, "update": update, "delete": delete}


def _remember(logical_id, _props, stack_name):
    return f"{stack_name}-{logical_id}", {}


def _forget(_physical_id, _props):
    pass


def _take_alarms_on_expressions(provisioners):
    """Alarms on metric math are taken and remembered, on a metric that nobody writes: what they would say is not
    computed here.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html
    """
    original = provisioners._cw_metric_alarm_record

    def record(name, props):
        if "Metrics" not in props:
            return original(name, props)
        rest = {key: value for key, value in props.items() if key != "Metrics"}
        return original(name, {**rest, "Namespace": "metric math", "MetricName": props["Metrics"][0]["Id"]})

    provisioners._cw_metric_alarm_record = record


def _with_all_bucket_properties(original):
    """Object Lock, default encryption and lifecycle of a bucket, through the same S3 calls that set them by API.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
    """
    def make(*arguments):
        name, attributes = original(*arguments)
        # create(logical_id, props, stack), update(physical_id, old, new, stack)
        props = arguments[-2]
        from ministack.services import s3

        for prop, to_xml, put in (
            ("ObjectLockConfiguration", _object_lock_xml, s3._put_object_lock_configuration),
            ("BucketEncryption", _encryption_xml, s3._put_bucket_encryption),
            ("LifecycleConfiguration", _lifecycle_xml, s3._put_bucket_lifecycle),
        ):
            if prop in props:
                status, _, body = put(name, to_xml(props[prop]))
                if status >= 400:
                    raise ValueError(f"AWS::S3::Bucket {prop}: {body!r}")
        return name, attributes

    return make


def _object_lock_xml(lock):
    root = Element("ObjectLockConfiguration")
    SubElement(root, "ObjectLockEnabled").text = lock["ObjectLockEnabled"]
    retention = SubElement(SubElement(root, "Rule"), "DefaultRetention")
    for name, value in lock["Rule"]["DefaultRetention"].items():
        SubElement(retention, name).text = str(value)
    return tostring(root)


def _encryption_xml(encryption):
    root = Element("ServerSideEncryptionConfiguration")
    for rule in encryption["ServerSideEncryptionConfiguration"]:
        default = SubElement(SubElement(root, "Rule"), "ApplyServerSideEncryptionByDefault")
        for name, value in rule["ServerSideEncryptionByDefault"].items():
            SubElement(default, name).text = value
    return tostring(root)


def _lifecycle_xml(lifecycle):
    root = Element("LifecycleConfiguration")
    for rule in lifecycle["Rules"]:
        element = SubElement(root, "Rule")
        SubElement(element, "ID").text = rule["Id"]
        SubElement(element, "Status").text = rule["Status"]
        SubElement(SubElement(element, "Filter"), "Prefix").text = rule.get("Prefix", "")
        abort = SubElement(element, "AbortIncompleteMultipartUpload")
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        SubElement(abort, "DaysAfterInitiation").text = str(days)
    return tostring(root)


def _put_bus_statement(_logical_id, props, _stack_name):
    """A statement of an event bus's own policy, of either effect.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-eventbuspolicy.html
    """
    from ministack.services import eventbridge

    bus, sid = props.get("EventBusName", "default"), props["StatementId"]
    policy = eventbridge._event_bus_policies.get(bus) or {"Version": "2012-10-17", "Statement": []}
    others = [statement for statement in policy["Statement"] if statement.get("Sid") != sid]
    eventbridge._event_bus_policies[bus] = {**policy, "Statement": [*others, {**props["Statement"], "Sid": sid}]}
    return f"{bus}|{sid}", {}


def _update_bus_statement(physical_id, old, new, stack_name):
    _remove_bus_statement(physical_id, old)
    return _put_bus_statement(physical_id, new, stack_name)


def _remove_bus_statement(_physical_id, props):
    from ministack.services import eventbridge

    eventbridge._remove_permission({"EventBusName": props.get("EventBusName", "default"),
                                    "StatementId": props["StatementId"]})


def _hear_bus_policies():
    """Whoever puts events on a bus is judged by the bus's own policy, too.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html
    """
    from ministack.core import iam_evaluator
    from ministack.services import eventbridge

    def bus_policy_for_arn(arn):
        account, _, resource = arn.partition(":event-bus/")
        policy = eventbridge._event_bus_policies.get(resource) if resource else None
        return (json.dumps(policy), account.rpartition(":")[2]) if policy else None

    eventbridge.bus_policy_for_arn = bus_policy_for_arn
    iam_evaluator._RESOURCE_POLICY_LOOKUPS["events"] = ("eventbridge", "bus_policy_for_arn")
