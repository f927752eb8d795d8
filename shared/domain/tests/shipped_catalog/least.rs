//! Nobody gets more than they need, and nothing of another tenant: every permission but break-glass.

use curfew_domain::catalog::{Catalog, CatalogFile};
use curfew_domain::document::Statement;

use super::policy::{allowed, covers, covers_action, is_bound_to_region, is_bound_to_tenant, written};
use super::shipped::{local, shipped};

/// Held to the rules of `breakglass.rs` instead.
const BREAK_GLASS: &str = "break_glass";

/// How the name of an action that only reads begins.
const READING: [&str; 4] = ["BatchGet", "Describe", "Get", "List"];

/// Actions that only read, though their names begin otherwise (access level "Read" in AWS's reference:
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/>).
const ALSO_READING: [&str; 13] = [
    "access-analyzer:ValidatePolicy",
    "cloudtrail:LookupEvents",
    "config:SelectResourceConfig",
    "dynamodb:Query",
    "dynamodb:Scan",
    "iam:GenerateCredentialReport",
    "iam:GenerateServiceLastAccessedDetails",
    "iam:SimulateCustomPolicy",
    "iam:SimulatePrincipalPolicy",
    "logs:FilterLogEvents",
    "logs:GetQueryResults",
    "logs:StartQuery",
    "logs:StopQuery",
];

/// Services that hold what is the tenant's own: even reading there is bound to the tenant, not just to the region.
const CONTENT: [&str; 9] =
    ["dynamodb", "kinesis", "kms", "lambda", "logs", "rds-db", "s3", "secretsmanager", "sqs"];

/// Reading of [`CONTENT`] that is bound to the region alone: permission, action, why that has to be.
const UNBOUND_READS: [(&str, &str, &str); 3] = [
    ("view_logs", "logs:DescribeLogGroups", "names of log groups; IAM knows no resource for it"),
    ("view_logs", "logs:GetQueryResults", "by an id that only whoever started the query knows"),
    ("view_logs", "logs:StopQuery", "by an id that only whoever started the query knows"),
];

/// Writes that are not bound to the tenant: permission, action, why that has to be.
const UNBOUND_WRITES: [(&str, &str, &str); 0] = [];

/// Patterns in which one tenant's name reaches another's: permission, the pattern's end, why that has to be.
const CROSSING: [(&str, &str, &str); 1] = [(
    "deploy_service",
    ":task-definition/${tenant}-*",
    "a family's name may hold no character that a tenant's may not; the file says what to keep to",
)];

/// Actions (and patterns of them) that hand out credentials, secrets or a shell, or let others do so, with the one
/// permission that may have each.
const HANDING_OUT: [(&str, Option<&str>); 24] = [
    ("codeartifact:GetAuthorizationToken", None),
    ("cognito-identity:GetCredentialsForIdentity", None),
    ("ec2-instance-connect:SendSSHPublicKey", None),
    ("ec2:GetPasswordData", None),
    ("ecr:GetAuthorizationToken", None),
    ("ecs:ExecuteCommand", None),
    ("ecs:RegisterTaskDefinition", None),
    ("ecs:RunTask", None),
    ("eks:AccessKubernetesApi", None),
    ("iam:CreateAccessKey", None),
    ("iam:PassRole", None),
    ("iam:Put*Policy", None),
    ("kms:CreateGrant", None),
    ("lambda:GetFunction", None),
    ("lambda:UpdateFunctionCode", None),
    ("rds-db:connect", Some("read_database")),
    ("redshift:GetClusterCredentials*", None),
    ("s3:Put*Policy", None),
    ("secretsmanager:GetSecretValue", Some("manage_secrets")),
    ("secretsmanager:PutResourcePolicy", None),
    ("ssm:GetParameter*", None),
    ("*:TagResource", None),
    ("ssm:SendCommand", None),
    ("ssm:StartSession", None),
];

/// Services whose objects say who may what: nobody writes there.
const RULING: [&str; 6] = ["account", "iam", "identitystore", "organizations", "sso", "sts"];

/// Every statement under these rules, with its permission's name.
fn statements(catalog: &Catalog) -> Vec<(String, Statement)> {
    catalog
        .permissions()
        .filter(|permission| permission.name().as_str() != BREAK_GLASS)
        .flat_map(|permission| {
            let name = permission.name().to_string();
            permission.statements().iter().map(move |statement| (name.clone(), statement.clone()))
        })
        .collect()
}

fn is_reading(action: &str) -> bool {
    let name = action.split_once(':').map_or(action, |(_, name)| name);
    READING.iter().any(|verb| name.starts_with(verb)) || ALSO_READING.contains(&action)
}

/// What breaks the rules in a catalog, in words.
fn breaches(catalog: &Catalog) -> Vec<String> {
    let mut breaches = Vec::new();
    for (permission, statement) in statements(catalog) {
        let (tenant, region) = (is_bound_to_tenant(&statement), is_bound_to_region(&statement));
        for action in allowed(&statement) {
            let mut breach = |what: &str| breaches.push(format!("`{permission}` allows `{action}`: {what}"));
            let (service, name) = action.split_once(':').unwrap_or((action, ""));
            if ["*", ""].contains(&name) {
                breach("everything");
            }
            let is_list = name.ends_with('*') && READING.contains(&name.trim_end_matches('*'));
            if name.contains(['*', '?']) && !is_list {
                breach("a pattern of more than one kind of reading");
            }
            if is_reading(action) {
                if !tenant && !region {
                    breach("read anywhere");
                }
                let is_known = UNBOUND_READS.iter().any(|(p, a, _)| *p == permission && *a == action);
                if !tenant && CONTENT.contains(&service) && !is_known {
                    breach("read in any tenant");
                }
            } else {
                if !tenant && !UNBOUND_WRITES.iter().any(|(p, a, _)| *p == permission && *a == action) {
                    breach("written to any tenant");
                }
                if RULING.contains(&service) {
                    breach("written where it is said who may what");
                }
            }
            for (handing, only) in HANDING_OUT {
                let is_of_it = covers_action(action, handing) || covers_action(handing, action);
                if is_of_it && only != Some(permission.as_str()) {
                    breach("hands out more than it is");
                }
            }
            let through = statement.conditions().iter().any(|(operator, key, values)| {
                operator == "StringEquals"
                    && key == "kms:ViaService"
                    && values.iter().all(|service| written(service).contains(".${region}."))
            });
            if service == "kms" && !through {
                breach("a key used by hand");
            }
        }
    }
    breaches
}

#[test]
fn every_permission_keeps_to_its_tenant_and_hands_out_nothing() {
    assert_eq!(breaches(&shipped()), Vec::<String>::new());
}

#[test]
fn the_demos_permissions_do_so_too() {
    assert_eq!(breaches(&local()), Vec::<String>::new());
}

#[test]
fn the_rules_can_be_broken() {
    const OWN: &str = "arn:aws:s3:::${tenant}-data/*";
    const TAG: &str = "StringEquals = { \"aws:ResourceTag/tenant\" = \"${tenant}\" }";
    const REGION: &str = "StringEquals = { \"aws:RequestedRegion\" = \"${region}\" }";
    for (action, resource, condition, breach) in [
        ("*", OWN, TAG, "everything"),
        ("s3:*", OWN, TAG, "everything"),
        ("s3:Put*", OWN, TAG, "a pattern of more than one kind"),
        ("s3:G*", OWN, TAG, "a pattern of more than one kind"),
        ("s3:GetObject", "*", "", "read anywhere"),
        ("s3:GetObject", "arn:aws:s3:::*", "Null = { \"s3:prefix\" = \"true\" }", "read anywhere"),
        ("xray:GetTraceSummaries", "*", "StringEquals = { \"aws:RequestedRegion\" = \"eu-west-1\" }", "read"),
        ("dynamodb:Scan", "*", REGION, "read in any tenant"),
        ("logs:GetLogEvents", "arn:aws:logs:${region}:${account}:log-group:*", "", "read in any tenant"),
        ("ssm:GetParameters", "*", REGION, "hands out more"),
        ("ecs:TagResource", "arn:aws:ecs:${region}:${account}:service/${tenant}/*", "", "hands out more"),
        ("s3:PutObject", "*", REGION, "written to any tenant"),
        ("s3:PutObject", "arn:aws:s3:::data-${account}/*", "", "written to any tenant"),
        (
            "ecs:StopTask",
            "*",
            "StringEqualsIfExists = { \"aws:ResourceTag/tenant\" = \"${tenant}\" }",
            "written",
        ),
        ("ecs:StopTask", "*", "StringNotEquals = { \"aws:ResourceTag/tenant\" = \"${tenant}\" }", "written"),
        ("ecs:StopTask", "*", "StringEquals = { \"aws:ResourceTag/team\" = \"${tenant}\" }", "written"),
        (
            "ecs:StopTask",
            "*",
            "StringEquals = { \"aws:ResourceTag/tenant\" = [\"${tenant}\", \"b\"] }",
            "written",
        ),
        ("ecs:UpdateService", "*", "ArnLike = { \"ecs:task-definition\" = \"arn:${tenant}\" }", "written"),
        ("iam:CreateUser", "arn:aws:iam::${account}:user/${tenant}/*", "", "who may what"),
        ("iam:PassRole", "arn:aws:iam::${account}:role/${tenant}/*", "", "hands out more"),
        ("sts:AssumeRole", "arn:aws:iam::${account}:role/${tenant}/*", "", "who may what"),
        ("ssm:Get*", "arn:aws:ssm:${region}:${account}:parameter/${tenant}/*", "", "hands out more"),
        ("secretsmanager:getsecretvalue", OWN, TAG, "hands out more"),
        ("rds-db:connect", "arn:aws:rds-db:${region}:${account}:dbuser:*/${tenant}", "", "hands out more"),
        ("kms:Decrypt", "arn:aws:kms:${region}:${account}:key/*", TAG, "a key used by hand"),
    ] {
        let condition =
            if condition.is_empty() { String::new() } else { format!("Condition = {{ {condition} }}") };
        let text = format!(
            "[permission.p]\ndescription = \"d\"\n[[permission.p.statement]]\nEffect = \"Allow\"\n\
             Action = \"{action}\"\nResource = \"{resource}\"\n{condition}\n"
        );
        let files = [CatalogFile { name: "c.toml".to_owned(), text }];
        let found = breaches(&Catalog::parse(&files).unwrap());
        assert!(found.iter().any(|found| found.contains(breach)), "{action} {resource}: {found:?}");
    }
}

/// Every text of a statement in which a tenant's name stands.
fn named(statement: &Statement) -> Vec<String> {
    let resources = statement.resources().map(|resource| resource.template());
    let values = statement.conditions().iter().flat_map(|(_, _, values)| values);
    resources.chain(values).map(written).filter(|text| text.contains("${tenant}")).collect()
}

/// Whether tenant `acme`'s pattern can stand for what is another tenant's, if both are named by it.
fn crosses(pattern: &str) -> bool {
    let fill = |tenant: &str| {
        pattern
            .replace("${account}", "111122223333")
            .replace("${region}", "eu-central-1")
            .replace("${tenant}", tenant)
    };
    let acme = fill("acme");
    ["acme-test", "acme_test", "acme-readonly", "acme2", "my-acme"].iter().any(|other| {
        ["", "x", "-x", "x/y:z"].iter().any(|rest| covers(&acme, &fill(other).replace('*', rest)))
    })
}

#[test]
fn no_tenants_name_reaches_what_is_anothers() {
    let (mut crossing, mut looked_at) = (Vec::new(), 0);
    for (permission, statement) in statements(&shipped()).into_iter().chain(statements(&local())) {
        for text in named(&statement) {
            looked_at += 1;
            if crosses(&text) {
                crossing.push((permission.clone(), text));
            }
        }
    }
    assert!(looked_at > 20, "{looked_at}");
    assert_eq!(crossing.len(), CROSSING.len(), "{crossing:?}");
    for ((permission, text), (known, end, _)) in crossing.iter().zip(CROSSING) {
        assert!(permission == known && text.ends_with(end), "{permission} {text}");
    }
}

#[test]
fn a_pattern_that_crosses_is_found() {
    for crossing in ["${tenant}*", "${tenant}-*", "log-group:/${tenant}_*", "*${tenant}/*", "*"] {
        assert!(crosses(crossing), "{crossing}");
    }
    for keeping in
        ["${tenant}", "${tenant}/*", "/${tenant}/*", "${tenant}-data/*", "dbuser:*/${tenant}_readonly"]
    {
        assert!(!crosses(keeping), "{keeping}");
    }
}
