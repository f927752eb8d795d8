//! The holders of shared attachments: who justifies one (`holders`), whose removal has begun and not ended
//! (`leaving`), and the marks of removals that may still have a request under way (`removing`). Every opening
//! and every release counts the `version` up, and nothing counts it down: whoever decided on an older one
//! has to look again.
//!
//! A mark is one text of the set `removing`, for people to read as well:
//! `<until> <grant id> <invocation>`, and ` after-close` if nobody comes after that removal.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, TransactWriteItem, Update};
use curfew_app::ports::{Holders, LedgerError, Released, Removing, SharedRemoval};
use curfew_domain::access::Attachment;
use curfew_domain::ids::GrantId;

use super::item::{self, Item, key, number, text};
use super::keys;
use super::open::action;
use super::{DynamoLedger, unfit};

const RELEASE: &str = "release a shared attachment";
const UNMARK: &str = "take marks off a shared attachment";

const AFTER_CLOSE: &str = " after-close";

/// A mark as text. Its time is rounded up, so it is never taken for over too soon.
fn mark_text(mark: &Removing) -> String {
    let Removing { until, grant_id, by, after_close } = mark;
    let tail = if *after_close { AFTER_CLOSE } else { "" };
    format!("{} {grant_id} {by}{tail}", keys::time_up(*until))
}

fn mark_of(text: &str) -> Option<Removing> {
    let (until, rest) = text.split_once(' ')?;
    let (grant_id, by) = rest.split_once(' ')?;
    let (by, after_close) = match by.strip_suffix(AFTER_CLOSE) {
        Some(by) => (by, true),
        None => (by, false),
    };
    Some(Removing {
        until: until.parse().ok()?,
        grant_id: GrantId::new(grant_id).ok()?,
        by: by.to_owned(),
        after_close,
    })
}

fn mark_set(marks: &[Removing]) -> AttributeValue {
    let mut texts: Vec<String> = marks.iter().map(mark_text).collect();
    // A set with the same text twice is refused.
    texts.sort();
    texts.dedup();
    AttributeValue::Ss(texts)
}

/// Takes a grant off the holders and leaves the mark of its removal, in one write. Until a commit ends the
/// removal the grant counts as `leaving`, and may be released again; after that the condition fails, so that
/// a grant that is closed gets no mark of somebody who does not know it. A mark that says so itself
/// (`after_close`) is always taken, and changes no set of grants.
///
/// The SDK may send it twice, and the first may land last. Each landing counts, which only makes others
/// look again; one after the end of the removal fails or, of a mark after the close, leaves a mark that
/// holds others up until its time.
pub(super) async fn release(
    ledger: &DynamoLedger,
    attachment: &Attachment,
    id: &GrantId,
    mine: &Removing,
) -> Result<Released, LedgerError> {
    let update = update(ledger, attachment)
        .expression_attribute_names("#version", "version")
        .expression_attribute_values(":one", number(1))
        .expression_attribute_values(":mine", mark_set(std::slice::from_ref(mine)))
        .return_values(ReturnValue::AllNew);
    let update = if mine.after_close {
        update.update_expression("ADD #version :one, removing :mine")
    } else {
        update
            .update_expression("ADD #version :one, removing :mine, leaving :ids DELETE holders :ids")
            .condition_expression("contains(holders, :id) OR contains(leaving, :id)")
            .expression_attribute_values(":ids", AttributeValue::Ss(vec![id.as_str().to_owned()]))
            .expression_attribute_values(":id", text(id.as_str()))
    };
    match update.send().await {
        Ok(output) => holders(&output.attributes.unwrap_or_default(), mine).map(Released::Left),
        Err(error) if error.as_service_error().is_some_and(is_condition) => Ok(Released::Ended),
        Err(error) => Err(ledger.failed(RELEASE, &error)),
    }
}

/// Reads holders. One that can't be read is an error, never nobody: it would be detached. The same goes for
/// marks: a removal would not wait for what may still land.
fn holders(item: &Item, mine: &Removing) -> Result<Holders, LedgerError> {
    let unfit = |error| unfit(RELEASE, &error);
    let grants = item::set_of(item, "holders", |id| GrantId::new(id).ok()).map_err(unfit)?;
    let version = item::number_of(item, "version").ok_or_else(|| unfit(item::missing(item, "version")))?;
    let mine = mark_text(mine);
    let mut removing = item::set_of(item, "removing", mark_of).map_err(unfit)?;
    removing.retain(|mark| mark_text(mark) != mine);
    Ok(Holders { version, grants, removing })
}

/// Takes marks off. They may be gone already.
pub(super) async fn unmark(
    ledger: &DynamoLedger,
    attachment: &Attachment,
    marks: &[Removing],
) -> Result<(), LedgerError> {
    if marks.is_empty() {
        return Ok(());
    }
    let sent = update(ledger, attachment)
        .update_expression("DELETE removing :marks")
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_values(":marks", mark_set(marks))
        .send()
        .await;
    match sent {
        Err(error) if !error.as_service_error().is_some_and(is_condition) => {
            Err(ledger.failed(UNMARK, &error))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The end of a grant's removal, as part of a transaction: only if the holders are those that AWS was made to
/// agree with. The grant leaves no more, and its marks are taken off.
pub(super) fn end_removal(
    table: &str,
    id: &GrantId,
    removal: SharedRemoval<'_>,
    operation: &'static str,
) -> Result<TransactWriteItem, LedgerError> {
    let SharedRemoval { attachment, version, marks } = removal;
    let update = Update::builder()
        .table_name(table)
        .set_key(Some(key(keys::attachment_pk(attachment), keys::HOLDERS)))
        .condition_expression("#version = :version")
        .expression_attribute_names("#version", "version")
        .expression_attribute_values(":version", number(version))
        .expression_attribute_values(":ids", AttributeValue::Ss(vec![id.as_str().to_owned()]));
    // DynamoDB knows no empty set.
    let update = if marks.is_empty() {
        update.update_expression("DELETE leaving :ids")
    } else {
        update
            .update_expression("DELETE leaving :ids, removing :marks")
            .expression_attribute_values(":marks", mark_set(marks))
    };
    action(operation, update.build(), |built, update| built.update(update))
}

fn update(ledger: &DynamoLedger, attachment: &Attachment) -> UpdateItemFluentBuilder {
    ledger
        .client()
        .update_item()
        .table_name(&ledger.table)
        .set_key(Some(key(keys::attachment_pk(attachment), keys::HOLDERS)))
}

fn is_condition(error: &UpdateItemError) -> bool {
    error.is_conditional_check_failed_exception()
}

#[cfg(test)]
#[path = "holders_tests.rs"]
mod tests;
