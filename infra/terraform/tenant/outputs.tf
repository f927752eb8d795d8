# Made by the tests from infra/tenant.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

output "agent_role_arn" {
  description = "For the tenant's entry in the catalog and for `agent_role_arns` of Curfew's stack."
  value       = local.has_agent_role ? aws_iam_role.agent_role_of_curfew[0].arn : null
}

output "boundary_arn" {
  description = "The permissions boundary that the tenant's users and roles are to carry."
  value       = aws_iam_policy.boundary.arn
}
