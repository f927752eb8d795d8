//! The Terraform modules in `infra/terraform`: made from the CloudFormation templates, and held equal to them.
//!
//! Two ways, so that a mistake in one shows in the other: `translate` makes the modules, and the committed files must be
//! what it makes (`committed`); `facts` reads the committed files with a parser of the language and compares, knowing
//! nothing of the translation, what would be deployed with what the templates say. `arguments` holds both to the
//! provider's documentation.

#[cfg(test)]
mod arguments;
#[cfg(test)]
mod beside;
#[cfg(test)]
mod cloudformation;
#[cfg(test)]
mod committed;
#[cfg(test)]
#[path = "../../tests/template/document.rs"]
#[expect(dead_code, reason = "what it has for the template's own tests")]
mod document;
#[cfg(test)]
mod expression;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod language;
#[cfg(test)]
mod module;
#[cfg(test)]
mod parameters;
#[cfg(test)]
mod translate;
