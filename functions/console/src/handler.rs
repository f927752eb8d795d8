//! The handler: one call from input to reply.

use curfew_app::console::{self, LiveView};
use curfew_app::ports::{self, Clock, LedgerError};
use curfew_domain::ids::GrantId;
use curfew_runtime::config::ConsoleConfig;
use curfew_runtime::{FunctionError, Invocation};
use lambda_runtime::LambdaEvent;
use serde_json::Value;

use crate::html::{self, Links};
use crate::input::{self, Input, Look, Widget};
use crate::reply::Reply;
use crate::shown::Shown;

/// How the widget is used; CloudWatch puts its first YAML block into the parameters of a new one.
const DESCRIPTION: &str = include_str!("../templates/describe.md");

const BAD_INPUT: &str = "nothing is shown, because the input can't be understood";

/// The console function. `F` gives each invocation its view of the ledger.
#[derive(Debug)]
pub struct ConsoleFunction<F, C> {
    view: F,
    clock: C,
    config: ConsoleConfig,
}

impl<F, V, C> ConsoleFunction<F, C>
where
    F: Fn(ports::Invocation) -> V + Send + Sync,
    V: LiveView,
    C: Clock,
{
    /// A function that looks through the views that `view` makes.
    #[must_use]
    pub fn new(view: F, clock: C, config: ConsoleConfig) -> Self {
        Self { view, clock, config }
    }

    /// Answers an invocation.
    ///
    /// # Errors
    /// As [`Self::handle`].
    pub async fn serve(&self, event: LambdaEvent<Value>) -> Result<Reply, FunctionError> {
        let own_arn = event.context.invoked_function_arn.clone();
        self.handle(&event.payload, &Invocation::from(&event.context), &own_arn).await
    }

    /// Shows what `input` asks for. What can't be shown is said in the reply: whoever looks reads it, and nobody tries
    /// again by themselves. `own_arn` is the function as its caller named it.
    ///
    /// # Errors
    /// [`FunctionError`], if the reply could not be written.
    pub async fn handle(
        &self,
        input: &Value,
        invocation: &Invocation,
        own_arn: &str,
    ) -> Result<Reply, FunctionError> {
        let view = (self.view)(invocation.known());
        match input::parse(input) {
            Ok(Input::Describe) => Ok(Reply::Text(DESCRIPTION.to_owned())),
            Ok(Input::Widget(widget)) => {
                let links = Links {
                    stack: &self.config.stack,
                    console: own_arn,
                    revoke: &self.config.revoke_function_arn,
                    grant: &self.config.grant_function_arn,
                };
                let page = self.widget(&view, &widget, &links).await;
                page.map(Reply::Text).map_err(|error| FunctionError::needs_operator(error.to_string()))
            }
            Ok(Input::List(filter)) => {
                let seen = console::overview(&view, &filter, self.clock.now()).await;
                Ok(seen.map_or_else(|error| Reply::bad(&unread(&error), &[]), |seen| Reply::good(&seen)))
            }
            Ok(Input::Show(id)) => Ok(match self.story(&view, &id).await {
                Ok(shown) => Reply::good(&shown),
                Err(problem) => Reply::bad(&problem, &[]),
            }),
            Err(problems) => Ok(Reply::bad(BAD_INPUT, &problems)),
        }
    }

    async fn widget(&self, view: &V, widget: &Widget, links: &Links<'_>) -> Result<String, html::Unwritten> {
        match &widget.look {
            Look::Grants(filter) => match console::overview(view, filter, self.clock.now()).await {
                Ok(seen) => html::grants(&seen, filter, widget, links),
                Err(error) => html::problem(&[unread(&error)], widget, links),
            },
            Look::Story(id) => match self.story(view, id).await {
                Ok(shown) => html::story(&shown, widget),
                Err(problem) => html::alert(&problem, widget),
            },
            Look::Unclear(problems) => html::problem(problems, widget, links),
        }
    }

    async fn story(&self, view: &V, id: &GrantId) -> Result<Shown, String> {
        match view.story(id).await {
            Ok(Some(story)) => Ok(Shown::of(story, self.clock.now())),
            Ok(None) => Err(format!("there is no grant {id} in the ledger; check its id")),
            Err(error) => Err(unread(&error)),
        }
    }
}

/// A failed read, logged, in words for whoever looks.
fn unread(error: &LedgerError) -> String {
    tracing::error!(%error, "nothing could be shown");
    let remedy = if error.retryable { "look again in a moment" } else { "see the console function's log" };
    format!("{error}; {remedy}")
}
